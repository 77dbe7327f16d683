-- What is brought to one server, and what is said of it beforehand.
SELECT o.order_id FROM orders o JOIN docs d ON d.title = o.status WHERE o.qty > $1 AND d.slug IN ('a', $2) AND o.total > o.qty;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: slug in ('a', $2)
--   bring docs as d (slug, title) where d.slug IN ('a', $2)
--   bring orders as o (order_id, total, qty, status) where o.qty > $1 AND o.total > o.qty
--   then SELECT o.order_id FROM unnest($5::int8[], $6::"numeric"[], $7::int4[], $8::text[]) AS o (order_id, total, qty, status) JOIN unnest($3::text[], $4::text[]) AS d (slug, title) ON d.title = o.status WHERE o.qty > $1 AND d.slug IN ('a', $2) AND o.total > o.qty
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

-- Both sides of an outer join may be narrowed by what is asked of rows that are there, not of rows that are filled up.
SELECT 1 FROM orders o LEFT JOIN docs d ON d.title = o.status AND d.slug > 'm' AND o.qty = 1 WHERE o.total > 5 AND d.slug < 'z';
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (slug, title) where d.slug > 'm'
--   bring orders as o (total, qty, status) where o.total > 5
--   then SELECT 1 FROM unnest($3::"numeric"[], $4::int4[], $5::text[]) AS o (total, qty, status) LEFT JOIN unnest($1::text[], $2::text[]) AS d (slug, title) ON d.title = o.status AND d.slug > 'm' AND o.qty = 1 WHERE o.total > 5 AND d.slug < 'z'
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT 1 FROM orders o FULL JOIN docs d ON d.title = o.status AND d.slug > 'm' WHERE o.total > 5;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (slug, title)
--   bring orders as o (total, status)
--   then SELECT 1 FROM unnest($3::"numeric"[], $4::text[]) AS o (total, status) FULL JOIN unnest($1::text[], $2::text[]) AS d (slug, title) ON d.title = o.status AND d.slug > 'm' WHERE o.total > 5
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

SELECT 1 FROM (orders o RIGHT JOIN docs d ON d.title = o.status) JOIN items i ON i.note = d.title WHERE o.qty = 1 AND d.slug = 'x' AND i.price > 0;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: slug = 'x'
--   scan: reads items as i: any key
--   bring docs as d (slug, title) where d.slug = 'x'
--   bring items as i (price, note) where i.price > 0
--   bring orders as o (qty, status)
--   then SELECT 1 FROM unnest($5::int4[], $6::text[]) AS o (qty, status) RIGHT JOIN unnest($1::text[], $2::text[]) AS d (slug, title) ON d.title = o.status JOIN unnest($3::float8[], $4::text[]) AS i (price, note) ON i.note = d.title WHERE o.qty = 1 AND d.slug = 'x' AND i.price > 0
--   because: plan.bringing: the rows of docs, items, orders are brought to one server, which runs the query over them

-- A moment is one server's; so is what depends on other rows.
SELECT 1 FROM orders o JOIN docs d ON d.title = o.status WHERE o.day < current_date AND o.qty > (SELECT 3) AND o.qty > 1;
--   read, keys
--   scan: reads orders as o: any key
--   scan: reads docs as d: any key
--   bring docs as d (title)
--   bring orders as o (qty, status, day) where o.qty > 1
--   then SELECT 1 FROM unnest($2::int4[], $3::text[], $4::date[]) AS o (qty, status, day) JOIN unnest($1::text[]) AS d (title) ON d.title = o.status WHERE o.day < CURRENT_DATE AND o.qty > (SELECT 3) AND o.qty > 1
--   because: plan.bringing: the rows of docs, orders are brought to one server, which runs the query over them

-- The same rows are brought once, but not those of other conditions.
SELECT a.qty FROM orders a JOIN orders b ON a.qty = b.qty;
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring orders as a (qty)
--   then SELECT a.qty FROM unnest($1::int4[]) AS a (qty) JOIN unnest($1::int4[]) AS b (qty) ON a.qty = b.qty
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

SELECT a.qty FROM orders a JOIN orders b ON a.qty = b.qty WHERE a.status = 'x' AND b.status = 'y';
--   read, keys
--   scan: reads orders as a: any key
--   scan: reads orders as b: any key
--   bring orders as a (qty, status) where a.status = 'x'
--   bring orders as b (qty, status) where b.status = 'y'
--   then SELECT a.qty FROM unnest($1::int4[], $2::text[]) AS a (qty, status) JOIN unnest($3::int4[], $4::text[]) AS b (qty, status) ON a.qty = b.qty WHERE a.status = 'x' AND b.status = 'y'
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
