-- What the runtime itself asks of servers.

-- name: text_settings
-- What the text of floating-point numbers, times and intervals depends on.
SELECT current_setting('extra_float_digits'), current_setting('DateStyle'), current_setting('IntervalStyle');

-- name: set_text_settings
-- The same set until the transaction's end.
SELECT set_config('extra_float_digits', $1, true), set_config('DateStyle', $2, true),
       set_config('IntervalStyle', $3, true);
