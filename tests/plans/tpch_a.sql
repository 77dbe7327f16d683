-- The 22 queries of TPC-H where orders and lineitem lie by the order's key, everything else is copied.

-- Q01: Pricing summary report
SELECT l_returnflag, l_linestatus, sum(l_quantity) AS sum_qty, sum(l_extendedprice) AS sum_base_price,
       sum(l_extendedprice * (1 - l_discount)) AS sum_disc_price,
       sum(l_extendedprice * (1 - l_discount) * (1 + l_tax)) AS sum_charge,
       avg(l_quantity) AS avg_qty, avg(l_extendedprice) AS avg_price, avg(l_discount) AS avg_disc,
       count(*) AS count_order
FROM lineitem
WHERE l_shipdate <= date '1998-12-01' - interval '90' day
GROUP BY l_returnflag, l_linestatus
ORDER BY l_returnflag, l_linestatus;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT lineitem.l_returnflag AS c1, lineitem.l_linestatus AS c2, sum(lineitem.l_quantity) AS c3, sum(lineitem.l_extendedprice) AS c4, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c5, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount) * (1 + lineitem.l_tax)) AS c6, count(lineitem.l_quantity) AS c7, count(lineitem.l_extendedprice) AS c8, sum(lineitem.l_discount) AS c9, count(lineitem.l_discount) AS c10, count(*) AS c11 FROM lineitem WHERE lineitem.l_shipdate <= '1998-12-01'::date - '90'::interval day GROUP BY lineitem.l_returnflag, lineitem.l_linestatus
--   finish: combine groups by column 1, 2: sum sum(…), sum sum(…), sum sum(…), sum sum(…), avg avg(…), avg avg(…), avg avg(…), count count(…); sort by column 1, 2
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q02: Minimum cost supplier
SELECT s_acctbal, s_name, n_name, p_partkey, p_mfgr, s_address, s_phone, s_comment
FROM part, supplier, partsupp, nation, region
WHERE p_partkey = ps_partkey
  AND s_suppkey = ps_suppkey
  AND p_size = 15
  AND p_type LIKE '%BRASS'
  AND s_nationkey = n_nationkey
  AND n_regionkey = r_regionkey
  AND r_name = 'EUROPE'
  AND ps_supplycost = (
        SELECT min(ps_supplycost)
        FROM partsupp, supplier, nation, region
        WHERE p_partkey = ps_partkey
          AND s_suppkey = ps_suppkey
          AND s_nationkey = n_nationkey
          AND n_regionkey = r_regionkey
          AND r_name = 'EUROPE')
ORDER BY s_acctbal DESC, n_name, s_name, p_partkey
LIMIT 100;
--   read, any
--   because: plan.placing: part is copied to every shard
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: partsupp is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: region is copied to every shard
--   because: plan.builder: any shard has what it reads

-- Q03: Shipping priority
SELECT l_orderkey, sum(l_extendedprice * (1 - l_discount)) AS revenue, o_orderdate, o_shippriority
FROM customer, orders, lineitem
WHERE c_mktsegment = 'BUILDING'
  AND c_custkey = o_custkey
  AND l_orderkey = o_orderkey
  AND o_orderdate < date '1995-03-15'
  AND l_shipdate > date '1995-03-15'
GROUP BY l_orderkey, o_orderdate, o_shippriority
ORDER BY revenue DESC, o_orderdate
LIMIT 10;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT lineitem.l_orderkey, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS revenue, orders.o_orderdate, orders.o_shippriority FROM customer CROSS JOIN orders CROSS JOIN lineitem WHERE customer.c_mktsegment = 'BUILDING' AND customer.c_custkey = orders.o_custkey AND lineitem.l_orderkey = orders.o_orderkey AND orders.o_orderdate < '1995-03-15'::date AND lineitem.l_shipdate > '1995-03-15'::date GROUP BY lineitem.l_orderkey, orders.o_orderdate, orders.o_shippriority ORDER BY 2 DESC, orders.o_orderdate LIMIT 10
--   finish: merge by column 2 desc nulls first, 3; stop after LIMIT rows
--   because: plan.placing: customer is copied to every shard
--   because: plan.scatter: each group lies on one shard, because it contains the key (orders.o_orderkey)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

-- Q04: Order priority checking
SELECT o_orderpriority, count(*) AS order_count
FROM orders
WHERE o_orderdate >= date '1993-07-01'
  AND o_orderdate < date '1993-07-01' + interval '3' month
  AND EXISTS (SELECT * FROM lineitem WHERE l_orderkey = o_orderkey AND l_commitdate < l_receiptdate)
GROUP BY o_orderpriority
ORDER BY o_orderpriority;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT orders.o_orderpriority AS c1, count(*) AS c2 FROM orders WHERE orders.o_orderdate >= '1993-07-01'::date AND orders.o_orderdate < '1993-07-01'::date + '3'::interval month AND EXISTS (SELECT lineitem.l_orderkey, lineitem.l_partkey, lineitem.l_suppkey, lineitem.l_linenumber, lineitem.l_quantity, lineitem.l_extendedprice, lineitem.l_discount, lineitem.l_tax, lineitem.l_returnflag, lineitem.l_linestatus, lineitem.l_shipdate, lineitem.l_commitdate, lineitem.l_receiptdate, lineitem.l_shipinstruct, lineitem.l_shipmode, lineitem.l_comment FROM lineitem WHERE lineitem.l_orderkey = orders.o_orderkey AND lineitem.l_commitdate < lineitem.l_receiptdate) GROUP BY orders.o_orderpriority
--   finish: combine groups by column 1: count count(…); sort by column 1
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q05: Local supplier volume
SELECT n_name, sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM customer, orders, lineitem, supplier, nation, region
WHERE c_custkey = o_custkey
  AND l_orderkey = o_orderkey
  AND l_suppkey = s_suppkey
  AND c_nationkey = s_nationkey
  AND s_nationkey = n_nationkey
  AND n_regionkey = r_regionkey
  AND r_name = 'ASIA'
  AND o_orderdate >= date '1994-01-01'
  AND o_orderdate < date '1994-01-01' + interval '1' year
GROUP BY n_name
ORDER BY revenue DESC;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT nation.n_name AS c1, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c2 FROM customer CROSS JOIN orders CROSS JOIN lineitem CROSS JOIN supplier CROSS JOIN nation CROSS JOIN region WHERE customer.c_custkey = orders.o_custkey AND lineitem.l_orderkey = orders.o_orderkey AND lineitem.l_suppkey = supplier.s_suppkey AND customer.c_nationkey = supplier.s_nationkey AND supplier.s_nationkey = nation.n_nationkey AND nation.n_regionkey = region.r_regionkey AND region.r_name = 'ASIA' AND orders.o_orderdate >= '1994-01-01'::date AND orders.o_orderdate < '1994-01-01'::date + '1'::interval year GROUP BY nation.n_name
--   finish: combine groups by column 1: sum sum(…); sort by column 2 desc nulls first
--   because: plan.placing: customer is copied to every shard
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: region is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q06: Forecasting revenue change
SELECT sum(l_extendedprice * l_discount) AS revenue
FROM lineitem
WHERE l_shipdate >= date '1994-01-01'
  AND l_shipdate < date '1994-01-01' + interval '1' year
  AND l_discount BETWEEN 0.06 - 0.01 AND 0.06 + 0.01
  AND l_quantity < 24;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT sum(lineitem.l_extendedprice * lineitem.l_discount) AS c1 FROM lineitem WHERE lineitem.l_shipdate >= '1994-01-01'::date AND lineitem.l_shipdate < '1994-01-01'::date + '1'::interval year AND lineitem.l_discount BETWEEN 0.06 - 0.01 AND 0.06 + 0.01 AND lineitem.l_quantity < 24
--   finish: combine groups: sum sum(…)
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q07: Volume shipping
SELECT supp_nation, cust_nation, l_year, sum(volume) AS revenue
FROM (
        SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, extract(year FROM l_shipdate) AS l_year,
               l_extendedprice * (1 - l_discount) AS volume
        FROM supplier, lineitem, orders, customer, nation n1, nation n2
        WHERE s_suppkey = l_suppkey
          AND o_orderkey = l_orderkey
          AND c_custkey = o_custkey
          AND s_nationkey = n1.n_nationkey
          AND c_nationkey = n2.n_nationkey
          AND ((n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY') OR (n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE'))
          AND l_shipdate BETWEEN date '1995-01-01' AND date '1996-12-31') AS shipping
GROUP BY supp_nation, cust_nation, l_year
ORDER BY supp_nation, cust_nation, l_year;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   scan: reads orders as orders: any key
--   fragment: SELECT shipping.supp_nation AS c1, shipping.cust_nation AS c2, shipping.l_year AS c3, sum(shipping.volume) AS c4 FROM (SELECT n1.n_name AS supp_nation, n2.n_name AS cust_nation, EXTRACT(year FROM lineitem.l_shipdate) AS l_year, lineitem.l_extendedprice * (1 - lineitem.l_discount) AS volume FROM supplier CROSS JOIN lineitem CROSS JOIN orders CROSS JOIN customer CROSS JOIN nation AS n1 CROSS JOIN nation AS n2 WHERE supplier.s_suppkey = lineitem.l_suppkey AND orders.o_orderkey = lineitem.l_orderkey AND customer.c_custkey = orders.o_custkey AND supplier.s_nationkey = n1.n_nationkey AND customer.c_nationkey = n2.n_nationkey AND (n1.n_name = 'FRANCE' AND n2.n_name = 'GERMANY' OR n1.n_name = 'GERMANY' AND n2.n_name = 'FRANCE') AND lineitem.l_shipdate BETWEEN '1995-01-01'::date AND '1996-12-31'::date) AS shipping GROUP BY shipping.supp_nation, shipping.cust_nation, shipping.l_year
--   finish: combine groups by column 1, 2, 3: sum sum(…); sort by column 1, 2, 3
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: customer is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q08: National market share
SELECT o_year, sum(CASE WHEN nation = 'BRAZIL' THEN volume ELSE 0 END) / sum(volume) AS mkt_share
FROM (
        SELECT extract(year FROM o_orderdate) AS o_year, l_extendedprice * (1 - l_discount) AS volume,
               n2.n_name AS nation
        FROM part, supplier, lineitem, orders, customer, nation n1, nation n2, region
        WHERE p_partkey = l_partkey
          AND s_suppkey = l_suppkey
          AND l_orderkey = o_orderkey
          AND o_custkey = c_custkey
          AND c_nationkey = n1.n_nationkey
          AND n1.n_regionkey = r_regionkey
          AND r_name = 'AMERICA'
          AND s_nationkey = n2.n_nationkey
          AND o_orderdate BETWEEN date '1995-01-01' AND date '1996-12-31'
          AND p_type = 'ECONOMY ANODIZED STEEL') AS all_nations
GROUP BY o_year
ORDER BY o_year;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   scan: reads orders as orders: any key
--   fragment: SELECT all_nations.o_year AS c1, sum(CASE WHEN all_nations.nation = 'BRAZIL' THEN all_nations.volume ELSE 0 END) AS c2, sum(all_nations.volume) AS c3 FROM (SELECT EXTRACT(year FROM orders.o_orderdate) AS o_year, lineitem.l_extendedprice * (1 - lineitem.l_discount) AS volume, n2.n_name AS nation FROM part CROSS JOIN supplier CROSS JOIN lineitem CROSS JOIN orders CROSS JOIN customer CROSS JOIN nation AS n1 CROSS JOIN nation AS n2 CROSS JOIN region WHERE part.p_partkey = lineitem.l_partkey AND supplier.s_suppkey = lineitem.l_suppkey AND lineitem.l_orderkey = orders.o_orderkey AND orders.o_custkey = customer.c_custkey AND customer.c_nationkey = n1.n_nationkey AND n1.n_regionkey = region.r_regionkey AND region.r_name = 'AMERICA' AND supplier.s_nationkey = n2.n_nationkey AND orders.o_orderdate BETWEEN '1995-01-01'::date AND '1996-12-31'::date AND part.p_type = 'ECONOMY ANODIZED STEEL') AS all_nations GROUP BY all_nations.o_year
--   finish: combine groups by column 1: sum sum(…), sum sum(…); sort by column 1
--   because: plan.placing: part is copied to every shard
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: customer is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: region is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q09: Product type profit measure
SELECT nation, o_year, sum(amount) AS sum_profit
FROM (
        SELECT n_name AS nation, extract(year FROM o_orderdate) AS o_year,
               l_extendedprice * (1 - l_discount) - ps_supplycost * l_quantity AS amount
        FROM part, supplier, lineitem, partsupp, orders, nation
        WHERE s_suppkey = l_suppkey
          AND ps_suppkey = l_suppkey
          AND ps_partkey = l_partkey
          AND p_partkey = l_partkey
          AND o_orderkey = l_orderkey
          AND s_nationkey = n_nationkey
          AND p_name LIKE '%green%') AS profit
GROUP BY nation, o_year
ORDER BY nation, o_year DESC;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   scan: reads orders as orders: any key
--   fragment: SELECT profit.nation AS c1, profit.o_year AS c2, sum(profit.amount) AS c3 FROM (SELECT nation.n_name AS nation, EXTRACT(year FROM orders.o_orderdate) AS o_year, lineitem.l_extendedprice * (1 - lineitem.l_discount) - partsupp.ps_supplycost * lineitem.l_quantity AS amount FROM part CROSS JOIN supplier CROSS JOIN lineitem CROSS JOIN partsupp CROSS JOIN orders CROSS JOIN nation WHERE supplier.s_suppkey = lineitem.l_suppkey AND partsupp.ps_suppkey = lineitem.l_suppkey AND partsupp.ps_partkey = lineitem.l_partkey AND part.p_partkey = lineitem.l_partkey AND orders.o_orderkey = lineitem.l_orderkey AND supplier.s_nationkey = nation.n_nationkey AND part.p_name LIKE '%green%') AS profit GROUP BY profit.nation, profit.o_year
--   finish: combine groups by column 1, 2: sum sum(…); sort by column 1, 2 desc nulls first
--   because: plan.placing: part is copied to every shard
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: partsupp is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q10: Returned item reporting
SELECT c_custkey, c_name, sum(l_extendedprice * (1 - l_discount)) AS revenue, c_acctbal, n_name, c_address, c_phone,
       c_comment
FROM customer, orders, lineitem, nation
WHERE c_custkey = o_custkey
  AND l_orderkey = o_orderkey
  AND o_orderdate >= date '1993-10-01'
  AND o_orderdate < date '1993-10-01' + interval '3' month
  AND l_returnflag = 'R'
  AND c_nationkey = n_nationkey
GROUP BY c_custkey, c_name, c_acctbal, c_phone, n_name, c_address, c_comment
ORDER BY revenue DESC
LIMIT 20;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT customer.c_custkey AS c1, customer.c_name AS c2, customer.c_acctbal AS c3, customer.c_phone AS c4, nation.n_name AS c5, customer.c_address AS c6, customer.c_comment AS c7, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c8 FROM customer CROSS JOIN orders CROSS JOIN lineitem CROSS JOIN nation WHERE customer.c_custkey = orders.o_custkey AND lineitem.l_orderkey = orders.o_orderkey AND orders.o_orderdate >= '1993-10-01'::date AND orders.o_orderdate < '1993-10-01'::date + '3'::interval month AND lineitem.l_returnflag = 'R' AND customer.c_nationkey = nation.n_nationkey GROUP BY customer.c_custkey, customer.c_name, customer.c_acctbal, customer.c_phone, nation.n_name, customer.c_address, customer.c_comment
--   finish: combine groups by column 1, 2, 3, 4, 5, 6, 7: sum sum(…); sort by column 3 desc nulls first; stop after LIMIT rows
--   because: plan.placing: customer is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q11: Important stock identification
SELECT ps_partkey, sum(ps_supplycost * ps_availqty) AS value
FROM partsupp, supplier, nation
WHERE ps_suppkey = s_suppkey
  AND s_nationkey = n_nationkey
  AND n_name = 'GERMANY'
GROUP BY ps_partkey
HAVING sum(ps_supplycost * ps_availqty) > (
        SELECT sum(ps_supplycost * ps_availqty) * 0.0001000000
        FROM partsupp, supplier, nation
        WHERE ps_suppkey = s_suppkey
          AND s_nationkey = n_nationkey
          AND n_name = 'GERMANY')
ORDER BY value DESC;
--   read, any
--   because: plan.placing: partsupp is copied to every shard
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.builder: any shard has what it reads

-- Q12: Shipping modes and order priority
SELECT l_shipmode,
       sum(CASE WHEN o_orderpriority = '1-URGENT' OR o_orderpriority = '2-HIGH' THEN 1 ELSE 0 END) AS high_line_count,
       sum(CASE WHEN o_orderpriority <> '1-URGENT' AND o_orderpriority <> '2-HIGH' THEN 1 ELSE 0 END) AS low_line_count
FROM orders, lineitem
WHERE o_orderkey = l_orderkey
  AND l_shipmode IN ('MAIL', 'SHIP')
  AND l_commitdate < l_receiptdate
  AND l_shipdate < l_commitdate
  AND l_receiptdate >= date '1994-01-01'
  AND l_receiptdate < date '1994-01-01' + interval '1' year
GROUP BY l_shipmode
ORDER BY l_shipmode;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT lineitem.l_shipmode AS c1, sum(CASE WHEN orders.o_orderpriority = '1-URGENT' OR orders.o_orderpriority = '2-HIGH' THEN 1 ELSE 0 END) AS c2, sum(CASE WHEN orders.o_orderpriority <> '1-URGENT' AND orders.o_orderpriority <> '2-HIGH' THEN 1 ELSE 0 END) AS c3 FROM orders CROSS JOIN lineitem WHERE orders.o_orderkey = lineitem.l_orderkey AND lineitem.l_shipmode IN ('MAIL', 'SHIP') AND lineitem.l_commitdate < lineitem.l_receiptdate AND lineitem.l_shipdate < lineitem.l_commitdate AND lineitem.l_receiptdate >= '1994-01-01'::date AND lineitem.l_receiptdate < '1994-01-01'::date + '1'::interval year GROUP BY lineitem.l_shipmode
--   finish: combine groups by column 1: sum sum(…), sum sum(…); sort by column 1
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q13: Customer distribution
SELECT c_count, count(*) AS custdist
FROM (
        SELECT c_custkey, count(o_orderkey)
        FROM customer LEFT OUTER JOIN orders
          ON c_custkey = o_custkey AND o_comment NOT LIKE '%special%requests%'
        GROUP BY c_custkey) AS c_orders (c_custkey, c_count)
GROUP BY c_count
ORDER BY custdist DESC, c_count DESC;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b2: SELECT orders.o_custkey AS c1, count(orders.o_orderkey) AS c2 FROM orders WHERE NOT orders.o_comment LIKE '%special%requests%' GROUP BY orders.o_custkey
--   then SELECT c_orders.c_count, count(*) AS custdist FROM (SELECT customer.c_custkey, coalesce(sum(orders.b1), 0)::int8 AS count FROM customer LEFT JOIN (SELECT b2.c1 AS o_custkey, coalesce(sum(b2.c2), 0)::int8 AS b1 FROM unnest($1::int4[], $2::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS orders ON customer.c_custkey = orders.o_custkey GROUP BY customer.c_custkey) AS c_orders (c_custkey, c_count) GROUP BY c_orders.c_count ORDER BY 2 DESC, c_orders.c_count DESC
--   because: plan.placing: customer is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them

-- Q14: Promotion effect
SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END)
       / sum(l_extendedprice * (1 - l_discount)) AS promo_revenue
FROM lineitem, part
WHERE l_partkey = p_partkey
  AND l_shipdate >= date '1995-09-01'
  AND l_shipdate < date '1995-09-01' + interval '1' month;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT sum(CASE WHEN part.p_type LIKE 'PROMO%' THEN lineitem.l_extendedprice * (1 - lineitem.l_discount) ELSE 0 END) AS c1, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c2 FROM lineitem CROSS JOIN part WHERE lineitem.l_partkey = part.p_partkey AND lineitem.l_shipdate >= '1995-09-01'::date AND lineitem.l_shipdate < '1995-09-01'::date + '1'::interval month
--   finish: combine groups: sum sum(…), sum sum(…)
--   because: plan.placing: part is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q15: Top supplier
WITH revenue (supplier_no, total_revenue) AS (
        SELECT l_suppkey, sum(l_extendedprice * (1 - l_discount))
        FROM lineitem
        WHERE l_shipdate >= date '1996-01-01'
          AND l_shipdate < date '1996-01-01' + interval '3' month
        GROUP BY l_suppkey)
SELECT s_suppkey, s_name, s_address, s_phone, total_revenue
FROM supplier, revenue
WHERE s_suppkey = supplier_no
  AND total_revenue = (SELECT max(total_revenue) FROM revenue)
ORDER BY s_suppkey;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   bring b1: SELECT lineitem.l_suppkey AS c1, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c2 FROM lineitem WHERE lineitem.l_shipdate >= '1996-01-01'::date AND lineitem.l_shipdate < '1996-01-01'::date + '3'::interval month GROUP BY lineitem.l_suppkey
--   then WITH revenue (supplier_no, total_revenue) AS (SELECT b1.c1 AS l_suppkey, sum(b1.c2) AS sum FROM unnest($1::int4[], $2::"numeric"[]) AS b1 (c1, c2) GROUP BY b1.c1) SELECT supplier.s_suppkey, supplier.s_name, supplier.s_address, supplier.s_phone, revenue.total_revenue FROM supplier CROSS JOIN revenue WHERE supplier.s_suppkey = revenue.supplier_no AND revenue.total_revenue = (SELECT max(revenue.total_revenue) FROM revenue) ORDER BY supplier.s_suppkey
--   because: plan.placing: supplier is copied to every shard
--   because: plan.bringing: the rows of lineitem are brought to one server, which runs the query over them

-- Q16: Parts/supplier relationship
SELECT p_brand, p_type, p_size, count(DISTINCT ps_suppkey) AS supplier_cnt
FROM partsupp, part
WHERE p_partkey = ps_partkey
  AND p_brand <> 'Brand#45'
  AND p_type NOT LIKE 'MEDIUM POLISHED%'
  AND p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
  AND ps_suppkey NOT IN (SELECT s_suppkey FROM supplier WHERE s_comment LIKE '%Customer%Complaints%')
GROUP BY p_brand, p_type, p_size
ORDER BY supplier_cnt DESC, p_brand, p_type, p_size;
--   read, any
--   because: plan.placing: partsupp is copied to every shard
--   because: plan.placing: part is copied to every shard
--   because: plan.placing: supplier is copied to every shard
--   because: plan.builder: any shard has what it reads

-- Q17: Small-quantity-order revenue
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly
FROM lineitem, part
WHERE p_partkey = l_partkey
  AND p_brand = 'Brand#23'
  AND p_container = 'MED BOX'
  AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey);
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   scan: reads lineitem as lineitem: any key
--   bring b2: SELECT lineitem.l_extendedprice AS c1, part.p_partkey AS c2, lineitem.l_quantity AS c3 FROM lineitem CROSS JOIN part WHERE part.p_partkey = lineitem.l_partkey AND part.p_brand = 'Brand#23' AND part.p_container = 'MED BOX'
--     only those with part.p_partkey among b3.c1, where that is selective
--   bring b3: SELECT lineitem.l_partkey AS c1, sum(lineitem.l_quantity) AS c2, count(lineitem.l_quantity) AS c3 FROM lineitem GROUP BY lineitem.l_partkey
--     only those with lineitem.l_partkey among b2.c2, where that is selective
--   then SELECT sum(b2.c1) / 7.0 AS avg_yearly FROM unnest($1::"numeric"[], $2::int4[], $3::"numeric"[]) AS b2 (c1, c2, c3) CROSS JOIN (SELECT b3.c1 AS k1, 0.2 * (sum(b3.c2) / nullif(sum(b3.c3), 0)) AS v FROM unnest($4::int4[], $5::"numeric"[], $6::int8[]) AS b3 (c1, c2, c3) GROUP BY b3.c1) AS b1 WHERE b1.k1 = b2.c2 AND b2.c3 < b1.v
--   because: plan.placing: part is copied to every shard
--   because: plan.bringing: the rows of lineitem are brought to one server, which runs the query over them

-- Q18: Large volume customer
SELECT c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice, sum(l_quantity)
FROM customer, orders, lineitem
WHERE o_orderkey IN (SELECT l_orderkey FROM lineitem GROUP BY l_orderkey HAVING sum(l_quantity) > 300)
  AND c_custkey = o_custkey
  AND o_orderkey = l_orderkey
GROUP BY c_name, c_custkey, o_orderkey, o_orderdate, o_totalprice
ORDER BY o_totalprice DESC, o_orderdate
LIMIT 100;
--   read, keys
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT customer.c_name, customer.c_custkey, orders.o_orderkey, orders.o_orderdate, orders.o_totalprice, sum(lineitem.l_quantity) FROM customer CROSS JOIN orders CROSS JOIN lineitem WHERE orders.o_orderkey = ANY (SELECT lineitem.l_orderkey FROM lineitem GROUP BY lineitem.l_orderkey HAVING sum(lineitem.l_quantity) > 300) AND customer.c_custkey = orders.o_custkey AND orders.o_orderkey = lineitem.l_orderkey GROUP BY customer.c_name, customer.c_custkey, orders.o_orderkey, orders.o_orderdate, orders.o_totalprice ORDER BY orders.o_totalprice DESC, orders.o_orderdate LIMIT 100
--   finish: merge by column 5 desc nulls first, 4; stop after LIMIT rows
--   because: plan.placing: customer is copied to every shard
--   because: plan.scatter: each group lies on one shard, because it contains the key (orders.o_orderkey)
--   because: plan.scatter: no shard needs to return more than LIMIT + OFFSET rows

-- Q19: Discounted revenue
SELECT sum(l_extendedprice * (1 - l_discount)) AS revenue
FROM lineitem, part
WHERE (p_partkey = l_partkey
       AND p_brand = 'Brand#12'
       AND p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG')
       AND l_quantity >= 1 AND l_quantity <= 1 + 10
       AND p_size BETWEEN 1 AND 5
       AND l_shipmode IN ('AIR', 'AIR REG')
       AND l_shipinstruct = 'DELIVER IN PERSON')
   OR (p_partkey = l_partkey
       AND p_brand = 'Brand#23'
       AND p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK')
       AND l_quantity >= 10 AND l_quantity <= 10 + 10
       AND p_size BETWEEN 1 AND 10
       AND l_shipmode IN ('AIR', 'AIR REG')
       AND l_shipinstruct = 'DELIVER IN PERSON')
   OR (p_partkey = l_partkey
       AND p_brand = 'Brand#34'
       AND p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG')
       AND l_quantity >= 20 AND l_quantity <= 20 + 10
       AND p_size BETWEEN 1 AND 15
       AND l_shipmode IN ('AIR', 'AIR REG')
       AND l_shipinstruct = 'DELIVER IN PERSON');
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   fragment: SELECT sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c1 FROM lineitem CROSS JOIN part WHERE part.p_partkey = lineitem.l_partkey AND part.p_brand = 'Brand#12' AND part.p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') AND lineitem.l_quantity >= 1 AND lineitem.l_quantity <= 1 + 10 AND part.p_size BETWEEN 1 AND 5 AND lineitem.l_shipmode IN ('AIR', 'AIR REG') AND lineitem.l_shipinstruct = 'DELIVER IN PERSON' OR part.p_partkey = lineitem.l_partkey AND part.p_brand = 'Brand#23' AND part.p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK') AND lineitem.l_quantity >= 10 AND lineitem.l_quantity <= 10 + 10 AND part.p_size BETWEEN 1 AND 10 AND lineitem.l_shipmode IN ('AIR', 'AIR REG') AND lineitem.l_shipinstruct = 'DELIVER IN PERSON' OR part.p_partkey = lineitem.l_partkey AND part.p_brand = 'Brand#34' AND part.p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG') AND lineitem.l_quantity >= 20 AND lineitem.l_quantity <= 20 + 10 AND part.p_size BETWEEN 1 AND 15 AND lineitem.l_shipmode IN ('AIR', 'AIR REG') AND lineitem.l_shipinstruct = 'DELIVER IN PERSON'
--   finish: combine groups: sum sum(…)
--   because: plan.placing: part is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q20: Potential part promotion
SELECT s_name, s_address
FROM supplier, nation
WHERE s_suppkey IN (
        SELECT ps_suppkey
        FROM partsupp
        WHERE ps_partkey IN (SELECT p_partkey FROM part WHERE p_name LIKE 'forest%')
          AND ps_availqty > (
                SELECT 0.5 * sum(l_quantity)
                FROM lineitem
                WHERE l_partkey = ps_partkey
                  AND l_suppkey = ps_suppkey
                  AND l_shipdate >= date '1994-01-01'
                  AND l_shipdate < date '1994-01-01' + interval '1' year))
  AND s_nationkey = n_nationkey
  AND n_name = 'CANADA'
ORDER BY s_name;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   bring b2: SELECT lineitem.l_partkey AS c1, lineitem.l_suppkey AS c2, sum(lineitem.l_quantity) AS c3 FROM lineitem WHERE lineitem.l_shipdate >= '1994-01-01'::date AND lineitem.l_shipdate < '1994-01-01'::date + '1'::interval year GROUP BY lineitem.l_partkey, lineitem.l_suppkey
--   then SELECT supplier.s_name, supplier.s_address FROM supplier CROSS JOIN nation WHERE supplier.s_suppkey = ANY (SELECT partsupp.ps_suppkey FROM partsupp CROSS JOIN (SELECT b2.c1 AS k1, b2.c2 AS k2, 0.5 * sum(b2.c3) AS v FROM unnest($1::int4[], $2::int4[], $3::"numeric"[]) AS b2 (c1, c2, c3) GROUP BY b2.c1, b2.c2) AS b1 WHERE partsupp.ps_partkey = ANY (SELECT part.p_partkey FROM part WHERE part.p_name LIKE 'forest%') AND b1.k1 = partsupp.ps_partkey AND b1.k2 = partsupp.ps_suppkey AND partsupp.ps_availqty > b1.v) AND supplier.s_nationkey = nation.n_nationkey AND nation.n_name = 'CANADA' ORDER BY supplier.s_name
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: partsupp is copied to every shard
--   because: plan.placing: part is copied to every shard
--   because: plan.bringing: the rows of lineitem are brought to one server, which runs the query over them

-- Q21: Suppliers who kept orders waiting
SELECT s_name, count(*) AS numwait
FROM supplier, lineitem l1, orders, nation
WHERE s_suppkey = l1.l_suppkey
  AND o_orderkey = l1.l_orderkey
  AND o_orderstatus = 'F'
  AND l1.l_receiptdate > l1.l_commitdate
  AND EXISTS (
        SELECT * FROM lineitem l2 WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey)
  AND NOT EXISTS (
        SELECT * FROM lineitem l3
        WHERE l3.l_orderkey = l1.l_orderkey
          AND l3.l_suppkey <> l1.l_suppkey
          AND l3.l_receiptdate > l3.l_commitdate)
  AND s_nationkey = n_nationkey
  AND n_name = 'SAUDI ARABIA'
GROUP BY s_name
ORDER BY numwait DESC, s_name
LIMIT 100;
--   read, keys
--   scan: reads lineitem as l1: any key
--   scan: reads orders as orders: any key
--   scan: reads lineitem as l2: any key
--   scan: reads lineitem as l3: any key
--   fragment: SELECT supplier.s_name AS c1, count(*) AS c2 FROM supplier CROSS JOIN lineitem AS l1 CROSS JOIN orders CROSS JOIN nation WHERE supplier.s_suppkey = l1.l_suppkey AND orders.o_orderkey = l1.l_orderkey AND orders.o_orderstatus = 'F' AND l1.l_receiptdate > l1.l_commitdate AND EXISTS (SELECT l2.l_orderkey, l2.l_partkey, l2.l_suppkey, l2.l_linenumber, l2.l_quantity, l2.l_extendedprice, l2.l_discount, l2.l_tax, l2.l_returnflag, l2.l_linestatus, l2.l_shipdate, l2.l_commitdate, l2.l_receiptdate, l2.l_shipinstruct, l2.l_shipmode, l2.l_comment FROM lineitem AS l2 WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey) AND NOT EXISTS (SELECT l3.l_orderkey, l3.l_partkey, l3.l_suppkey, l3.l_linenumber, l3.l_quantity, l3.l_extendedprice, l3.l_discount, l3.l_tax, l3.l_returnflag, l3.l_linestatus, l3.l_shipdate, l3.l_commitdate, l3.l_receiptdate, l3.l_shipinstruct, l3.l_shipmode, l3.l_comment FROM lineitem AS l3 WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate) AND supplier.s_nationkey = nation.n_nationkey AND nation.n_name = 'SAUDI ARABIA' GROUP BY supplier.s_name
--   finish: combine groups by column 1: count count(…); sort by column 2 desc nulls first, 1; stop after LIMIT rows
--   because: plan.placing: supplier is copied to every shard
--   because: plan.placing: nation is copied to every shard
--   because: plan.scatter: groups span shards: each shard computes partial results, which are combined

-- Q22: Global sales opportunity
SELECT cntrycode, count(*) AS numcust, sum(c_acctbal) AS totacctbal
FROM (
        SELECT substring(c_phone FROM 1 FOR 2) AS cntrycode, c_acctbal
        FROM customer
        WHERE substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
          AND c_acctbal > (
                SELECT avg(c_acctbal)
                FROM customer
                WHERE c_acctbal > 0.00
                  AND substring(c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17'))
          AND NOT EXISTS (SELECT * FROM orders WHERE o_custkey = c_custkey)) AS custsale
GROUP BY cntrycode
ORDER BY cntrycode;
--   read, keys
--   scan: reads orders as orders: any key
--   bring b1: SELECT DISTINCT orders.o_custkey AS c1 FROM orders
--   then SELECT custsale.cntrycode, count(*) AS numcust, sum(custsale.c_acctbal) AS totacctbal FROM (SELECT SUBSTRING(customer.c_phone FROM 1 FOR 2) AS cntrycode, customer.c_acctbal FROM customer WHERE SUBSTRING(customer.c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17') AND customer.c_acctbal > (SELECT avg(customer.c_acctbal) FROM customer WHERE customer.c_acctbal > 0.00 AND SUBSTRING(customer.c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')) AND NOT EXISTS (SELECT 1 FROM unnest($1::int4[]) AS b1 (c1) WHERE b1.c1 = customer.c_custkey)) AS custsale GROUP BY custsale.cntrycode ORDER BY custsale.cntrycode
--   because: plan.placing: customer is copied to every shard
--   because: plan.bringing: the rows of orders are brought to one server, which runs the query over them
