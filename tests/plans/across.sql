-- Several domains: what each gives, and what a server of the session's domain makes of it.
SELECT o.order_id, u.name FROM orders o JOIN users.users u ON u.id = o.customer_id;
--   read, across
--   bring from d: orders as o (order_id, customer_id)
--   bring from users: users.users as u (id, name)
--   then SELECT o.order_id, u.name FROM unnest($1::int8[], $2::int8[]) AS o (order_id, customer_id) JOIN unnest($3::int8[], $4::text[]) AS u (id, name) ON u.id = o.customer_id
--   because: plan.across: it names tables of several domains: rows of d, users are brought to d

-- What is said of one table says which rows of others matter; their domain is asked afterwards.
SELECT u.name FROM orders o JOIN users.users u ON u.id = o.customer_id WHERE o.order_id = $1;
--   read, across
--   bring from d: orders as o (order_id, customer_id) where o.order_id = $1
--   bring from users: users.users as u (id, name)
--   then SELECT u.name FROM unnest($2::int8[], $3::int8[]) AS o (order_id, customer_id) JOIN unnest($4::int8[], $5::text[]) AS u (id, name) ON u.id = o.customer_id WHERE o.order_id = $1
--   first: bring from d: orders as o (order_id, customer_id) where o.order_id = $1
--   first: bring from users: users.users as u (id, name) where u.id = ANY ($3::int8[])
--   first: then SELECT u.name FROM unnest($2::int8[], $3::int8[]) AS o (order_id, customer_id) JOIN unnest($4::int8[], $5::text[]) AS u (id, name) ON u.id = o.customer_id WHERE o.order_id = $1
--   because: plan.across: it names tables of several domains: rows of d, users are brought to d

SELECT u.name, p.name FROM orders o JOIN users.users u ON u.id = o.customer_id JOIN products p ON p.id = o.qty WHERE u.born = '2000-01-01';
--   read, across
--   bring from d: orders as o (customer_id, qty)
--   bring from stock: stock.products as p (id, name)
--   bring from users: users.users as u (id, name, born) where u.born = '2000-01-01'
--   then SELECT u.name, p.name FROM unnest($1::int8[], $2::int4[]) AS o (customer_id, qty) JOIN unnest($5::int8[], $6::text[], $7::date[]) AS u (id, name, born) ON u.id = o.customer_id JOIN unnest($3::int4[], $4::text[]) AS p (id, name) ON p.id = o.qty WHERE u.born = '2000-01-01'
--   first: bring from users: users.users as u (id, name, born) where u.born = '2000-01-01'
--   first: bring from d: orders as o (customer_id, qty) where o.customer_id = ANY ($1::int8[])
--   first: bring from stock: stock.products as p (id, name) where p.id = ANY ($5::int8[])
--   first: then SELECT u.name, p.name FROM unnest($4::int8[], $5::int4[]) AS o (customer_id, qty) JOIN unnest($1::int8[], $2::text[], $3::date[]) AS u (id, name, born) ON u.id = o.customer_id JOIN unnest($6::int4[], $7::text[]) AS p (id, name) ON p.id = o.qty WHERE u.born = '2000-01-01'
--   because: plan.across: it names tables of several domains: rows of d, stock, users are brought to d

-- Not of a side that an outer join keeps.
SELECT u.name FROM users.users u LEFT JOIN orders o ON u.id = o.customer_id AND o.order_id = 5;
--   read, across
--   bring from d: orders as o (order_id, customer_id) where o.order_id = 5
--   bring from users: users.users as u (id, name)
--   then SELECT u.name FROM unnest($3::int8[], $4::text[]) AS u (id, name) LEFT JOIN unnest($1::int8[], $2::int8[]) AS o (order_id, customer_id) ON u.id = o.customer_id AND o.order_id = 5
--   because: plan.across: it names tables of several domains: rows of d, users are brought to d

-- Within a domain of one shard the same statement says so.
SELECT l.at FROM users.users u JOIN audit.log l ON l.who = u.id JOIN orders o ON true WHERE u.id = 7;
--   read, across
--   bring from d: orders as o (order_id)
--   bring from users: users.audit.log as l (who, at) where l.who = ANY (SELECT u.id FROM public.users AS u WHERE u.id = 7)
--   bring from users: users.users as u (id) where u.id = 7
--   then SELECT l.at FROM unnest($4::int8[]) AS u (id) JOIN unnest($2::int8[], $3::timestamptz[]) AS l (who, at) ON l.who = u.id JOIN unnest($1::int8[]) AS o (order_id) ON true WHERE u.id = 7
--   because: plan.across: it names tables of several domains: rows of d, users are brought to d

-- MariaDB is asked for whole numbers alone; the finish decides what text is equal.
SELECT count(*) FROM products WHERE id > 3 AND name = 'a' AND year = 70 AND weight > 1;
--   read, across
--   bring from stock: stock.products as products (id, name, weight, year) where products.id > 3
--   then SELECT count(*) FROM unnest($1::int4[], $2::text[], $3::float4[], $4::int2[]) AS products (id, name, weight, year) WHERE products.id > 3 AND products.name = 'a' AND products.year = 70 AND products.weight > 1
--   because: plan.across: it names tables of several domains: rows of stock are brought to d
SELECT made, weight FROM products WHERE id IN ($1, -4);
--   read, across
--   bring from stock: stock.products as products (id, made, weight) where products.id IN ($1, -4)
--   then SELECT products.made, products.weight FROM unnest($2::int4[], $3::timestamptz[], $4::float4[]) AS products (id, made, weight) WHERE products.id IN ($1, -4)
--   because: plan.across: it names tables of several domains: rows of stock are brought to d

-- A key finds its shard.
SELECT p.name FROM products p JOIN orders o ON o.qty = p.id WHERE p.id = 3;
--   read, across
--   bring from d: orders as o (qty)
--   bring from stock: stock.products as p (id, name) where p.id = 3
--   then SELECT p.name FROM unnest($2::int4[], $3::text[]) AS p (id, name) JOIN unnest($1::int4[]) AS o (qty) ON o.qty = p.id WHERE p.id = 3
--   first: bring from stock: stock.products as p (id, name) where p.id = 3
--   first: bring from d: orders as o (qty) where o.qty = ANY ($1::int8[])
--   first: then SELECT p.name FROM unnest($1::int4[], $2::text[]) AS p (id, name) JOIN unnest($3::int4[]) AS o (qty) ON o.qty = p.id WHERE p.id = 3
--   because: plan.across: it names tables of several domains: rows of d, stock are brought to d

-- Moments without a zone, and what depends on settings, are left to the finish.
SELECT 1 FROM audit.log WHERE at > '2024-01-01' AND at < '2025-01-01 00:00Z';
--   read, across
--   bring from users: users.audit.log as log (at) where log.at < '2025-01-01 00:00Z'
--   then SELECT 1 FROM unnest($1::timestamptz[]) AS log (at) WHERE log.at > '2024-01-01' AND log.at < '2025-01-01 00:00Z'
--   because: plan.across: it names tables of several domains: rows of users are brought to d

-- Copied tables are read where the query is finished.
SELECT c.name, u.name FROM countries c JOIN users.users u ON u.name = c.name;
--   read, across
--   bring from users: users.users as u (name)
--   then SELECT c.name, u.name FROM countries AS c JOIN unnest($1::text[]) AS u (name) ON u.name = c.name
--   because: plan.across: it names tables of several domains: rows of users are brought to d

-- What would mean something else elsewhere.
SELECT mood FROM users.users;
--   error: OG-PLAN-073 users.users.mood is of type public.mood, which the domain users has for itself: its values are not the same elsewhere
SELECT blind FROM users.users;
--   error: OG-PLAN-074 users.users.blind calls texts equal that differ, by a collation of the domain users alone
SELECT local FROM users.users WHERE local = 'x';
--   read, across
--   bring from users: users.users as users (local) where users.local = 'x'
--   then SELECT users.local FROM unnest($1::text[]) AS users (local) WHERE users.local = 'x'
--   because: plan.across: it names tables of several domains: rows of users are brought to d
SELECT local FROM users.users ORDER BY local;
--   error: OG-PLAN-075 users.users.local is text in an order that other domains' servers do not have: it can be shown and compared by = alone
SELECT bits FROM products;
--   error: OG-PLAN-073 stock.products.bits is of type mariadb.bit(3), which the domain stock has for itself: its values are not the same elsewhere
SELECT random() FROM users.users;
--   error: OG-PLAN-018 random() is computed by each shard for itself
SELECT * FROM users.users FOR UPDATE;
--   error: OG-PLAN-020 FOR UPDATE or another locking clause over several shards would lock other rows than on one server
SELECT * FROM stores;
--   error: OG-STMT-030 'stores' is a table of several domains: users, stock
SELECT * FROM nowhere JOIN users.users ON true;
--   error: OG-STMT-010 none of the domains d, users, stock has a table 'nowhere'
SELECT * FROM users.nowhere;
--   error: OG-STMT-010 none of the domains d, users, stock has a table 'users.nowhere'
SELECT 1 FROM unlisted JOIN users.users u ON true;
--   error: OG-PLAN-001 table unlisted has no placement in domain d
SELECT 1 FROM guarded JOIN users.users u ON true;
--   error: OG-PLAN-021 row security on guarded is not answered over several shards
SELECT 1 FROM view_of_orders JOIN users.users u ON true;
--   error: OG-PLAN-019 the view view_of_orders may read or do what only one shard knows
SELECT 1 FROM orders TABLESAMPLE BERNOULLI (10) JOIN users.users u ON true;
--   error: OG-PLAN-021 TABLESAMPLE on orders is not answered over several shards
SELECT 1 FROM pg_class JOIN users.users u ON true;
--   error: OG-PLAN-018 the statement reads the catalogue (pg_catalog.pg_class): that is computed by each shard for itself

-- A single table that lives elsewhere than the first comes to where that one is.
SELECT s.value, u.name FROM settings s JOIN users.users u ON u.name = s.name JOIN other_settings o ON o.name = u.name;
--   read, across
--   bring from d: settings as s (name, value)
--   bring from users: users.users as u (name)
--   then SELECT s.value, u.name FROM unnest($1::text[], $2::text[]) AS s (name, value) JOIN unnest($3::text[]) AS u (name) ON u.name = s.name JOIN other_settings AS o ON o.name = u.name
--   because: plan.across: it names tables of several domains: rows of d, users are brought to d

-- A view over the session's own shards is its SELECT; what is in its way is named.
SELECT b.amount, u.name FROM big b JOIN users.users u ON u.id = b.customer_id WHERE b.amount > 5;
--   read, across
--   bring from d: orders as o (customer_id, total, qty) where o.qty > 1
--   bring from users: users.users as u (id, name)
--   then SELECT b.amount, u.name FROM (SELECT o.customer_id, o.total AS amount FROM unnest($1::int8[], $2::"numeric"[], $3::int4[]) AS o (customer_id, total, qty) WHERE o.qty > 1) AS b JOIN unnest($4::int8[], $5::text[]) AS u (id, name) ON u.id = b.customer_id WHERE b.amount > 5
--   because: plan.across: it names tables of several domains: rows of d, users are brought to d
SELECT p.peek FROM peeking p JOIN users.users u ON u.id = p.customer_id;
--   error: OG-PLAN-100 the view peeking is not answered over several shards: the function peek is STABLE: it may read tables, of which each shard has its part only
