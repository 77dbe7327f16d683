-- The 22 queries of TPC-H where nation and region are copied, every other table lies by its own first key column.

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
--   read, keys
--   scan: reads part as part: any key
--   scan: reads supplier as supplier: any key
--   scan: reads partsupp as partsupp: any key
--   scan: reads partsupp as partsupp: any key
--   scan: reads supplier as supplier: any key
--   bring b2: SELECT part.p_partkey AS c1, part.p_mfgr AS c2, partsupp.ps_suppkey AS c3, partsupp.ps_supplycost AS c4 FROM part CROSS JOIN partsupp WHERE part.p_partkey = partsupp.ps_partkey AND part.p_size = 15 AND part.p_type LIKE '%BRASS'
--     only those with partsupp.ps_suppkey among b3.c7, where that is selective
--     only those with part.p_partkey among b4.c1, where that is selective
--   bring b3: SELECT supplier.s_acctbal AS c1, supplier.s_name AS c2, nation.n_name AS c3, supplier.s_address AS c4, supplier.s_phone AS c5, supplier.s_comment AS c6, supplier.s_suppkey AS c7 FROM supplier CROSS JOIN nation CROSS JOIN region WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_regionkey = region.r_regionkey AND region.r_name = 'EUROPE'
--     only those with supplier.s_suppkey among b2.c3, where that is selective
--   bring b4: SELECT partsupp.ps_partkey AS c1, partsupp.ps_supplycost AS c2, partsupp.ps_suppkey AS c3 FROM partsupp
--     only those with partsupp.ps_partkey among b2.c1, where that is selective
--     only those with partsupp.ps_suppkey among b5.c1, where that is selective
--   bring b5: SELECT supplier.s_suppkey AS c1 FROM supplier CROSS JOIN nation CROSS JOIN region WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_regionkey = region.r_regionkey AND region.r_name = 'EUROPE'
--     only those with supplier.s_suppkey among b4.c3, where that is selective
--   then SELECT b3.c1 AS s_acctbal, b3.c2 AS s_name, b3.c3 AS n_name, b2.c1 AS p_partkey, b2.c2 AS p_mfgr, b3.c4 AS s_address, b3.c5 AS s_phone, b3.c6 AS s_comment FROM unnest($1::int4[], $2::bpchar[], $3::int4[], $4::"numeric"[]) AS b2 (c1, c2, c3, c4) CROSS JOIN unnest($5::"numeric"[], $6::bpchar[], $7::bpchar[], $8::"varchar"[], $9::bpchar[], $10::"varchar"[], $11::int4[]) AS b3 (c1, c2, c3, c4, c5, c6, c7) CROSS JOIN (SELECT b4.c1 AS k1, min(b4.c2) AS v FROM unnest($12::int4[], $13::"numeric"[], $14::int4[]) AS b4 (c1, c2, c3) CROSS JOIN unnest($15::int4[]) AS b5 (c1) WHERE b5.c1 = b4.c3 GROUP BY b4.c1) AS b1 WHERE b3.c7 = b2.c3 AND b1.k1 = b2.c1 AND b2.c4 = b1.v ORDER BY b3.c1 DESC, b3.c3, b3.c2, b2.c1 LIMIT 100
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: region is copied to every shard
--   because: plan.bringing: the rows of part, partsupp, supplier are brought to one server, which runs the query over them

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
--   scan: reads customer as customer: any key
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   bring b1: SELECT customer.c_custkey AS c1 FROM customer WHERE customer.c_mktsegment = 'BUILDING'
--     only those with customer.c_custkey among b2.c6, where that is selective
--   bring b2: SELECT lineitem.l_orderkey AS c1, lineitem.l_extendedprice AS c2, lineitem.l_discount AS c3, orders.o_orderdate AS c4, orders.o_shippriority AS c5, orders.o_custkey AS c6 FROM orders CROSS JOIN lineitem WHERE lineitem.l_orderkey = orders.o_orderkey AND orders.o_orderdate < '1995-03-15'::date AND lineitem.l_shipdate > '1995-03-15'::date
--     only those with orders.o_custkey among b1.c1, where that is selective
--   then SELECT b2.c1 AS l_orderkey, sum(b2.c2 * (1 - b2.c3)) AS revenue, b2.c4 AS o_orderdate, b2.c5 AS o_shippriority FROM unnest($1::int4[]) AS b1 (c1) CROSS JOIN unnest($2::int8[], $3::"numeric"[], $4::"numeric"[], $5::date[], $6::int4[], $7::int4[]) AS b2 (c1, c2, c3, c4, c5, c6) WHERE b1.c1 = b2.c6 GROUP BY b2.c1, b2.c4, b2.c5 ORDER BY 2 DESC, b2.c4 LIMIT 10
--   because: plan.bringing: the rows of customer, orders, lineitem are brought to one server, which runs the query over them

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
--   scan: reads customer as customer: any key
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   scan: reads supplier as supplier: any key
--   bring b1: SELECT customer.c_custkey AS c1, customer.c_nationkey AS c2 FROM customer
--     only those with customer.c_custkey among b2.c3, where that is selective
--     only those with customer.c_nationkey among b3.c3, where that is selective
--   bring b2: SELECT lineitem.l_extendedprice AS c1, lineitem.l_discount AS c2, orders.o_custkey AS c3, lineitem.l_suppkey AS c4 FROM orders CROSS JOIN lineitem WHERE lineitem.l_orderkey = orders.o_orderkey AND orders.o_orderdate >= '1994-01-01'::date AND orders.o_orderdate < '1994-01-01'::date + '1'::interval year
--     only those with orders.o_custkey among b1.c1, where that is selective
--     only those with lineitem.l_suppkey among b3.c2, where that is selective
--   bring b3: SELECT nation.n_name AS c1, supplier.s_suppkey AS c2, supplier.s_nationkey AS c3 FROM supplier CROSS JOIN nation CROSS JOIN region WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_regionkey = region.r_regionkey AND region.r_name = 'ASIA'
--     only those with supplier.s_suppkey among b2.c4, where that is selective
--     only those with supplier.s_nationkey among b1.c2, where that is selective
--   then SELECT b3.c1 AS n_name, sum(b2.c1 * (1 - b2.c2)) AS revenue FROM unnest($1::int4[], $2::int4[]) AS b1 (c1, c2) CROSS JOIN unnest($3::"numeric"[], $4::"numeric"[], $5::int4[], $6::int4[]) AS b2 (c1, c2, c3, c4) CROSS JOIN unnest($7::bpchar[], $8::int4[], $9::int4[]) AS b3 (c1, c2, c3) WHERE b1.c1 = b2.c3 AND b2.c4 = b3.c2 AND b1.c2 = b3.c3 GROUP BY b3.c1 ORDER BY 2 DESC
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: region is copied to every shard
--   because: plan.bringing: the rows of customer, orders, lineitem, supplier are brought to one server, which runs the query over them

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
--   scan: reads supplier as supplier: any key
--   scan: reads lineitem as lineitem: any key
--   scan: reads orders as orders: any key
--   scan: reads customer as customer: any key
--   bring b1: SELECT n1.n_name AS c1, supplier.s_suppkey AS c2 FROM supplier CROSS JOIN nation AS n1 WHERE supplier.s_nationkey = n1.n_nationkey AND (n1.n_name = 'FRANCE' OR n1.n_name = 'GERMANY')
--     only those with supplier.s_suppkey among b2.c4, where that is selective
--   bring b2: SELECT lineitem.l_shipdate AS c1, lineitem.l_extendedprice AS c2, lineitem.l_discount AS c3, lineitem.l_suppkey AS c4, orders.o_custkey AS c5 FROM lineitem CROSS JOIN orders WHERE orders.o_orderkey = lineitem.l_orderkey AND lineitem.l_shipdate BETWEEN '1995-01-01'::date AND '1996-12-31'::date
--     only those with lineitem.l_suppkey among b1.c2, where that is selective
--     only those with orders.o_custkey among b3.c2, where that is selective
--   bring b3: SELECT n2.n_name AS c1, customer.c_custkey AS c2 FROM customer CROSS JOIN nation AS n2 WHERE customer.c_nationkey = n2.n_nationkey AND (n2.n_name = 'GERMANY' OR n2.n_name = 'FRANCE')
--     only those with customer.c_custkey among b2.c5, where that is selective
--   then SELECT shipping.supp_nation, shipping.cust_nation, shipping.l_year, sum(shipping.volume) AS revenue FROM (SELECT b1.c1 AS supp_nation, b3.c1 AS cust_nation, EXTRACT(year FROM b2.c1) AS l_year, b2.c2 * (1 - b2.c3) AS volume FROM unnest($1::bpchar[], $2::int4[]) AS b1 (c1, c2) CROSS JOIN unnest($3::date[], $4::"numeric"[], $5::"numeric"[], $6::int4[], $7::int4[]) AS b2 (c1, c2, c3, c4, c5) CROSS JOIN unnest($8::bpchar[], $9::int4[]) AS b3 (c1, c2) WHERE b1.c2 = b2.c4 AND b3.c2 = b2.c5 AND (b1.c1 = 'FRANCE' AND b3.c1 = 'GERMANY' OR b1.c1 = 'GERMANY' AND b3.c1 = 'FRANCE')) AS shipping GROUP BY shipping.supp_nation, shipping.cust_nation, shipping.l_year ORDER BY shipping.supp_nation, shipping.cust_nation, shipping.l_year
--   because: plan.placing: nation is copied to every shard
--   because: plan.bringing: the rows of supplier, lineitem, orders, customer are brought to one server, which runs the query over them

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
--   scan: reads part as part: any key
--   scan: reads supplier as supplier: any key
--   scan: reads lineitem as lineitem: any key
--   scan: reads orders as orders: any key
--   scan: reads customer as customer: any key
--   bring b1: SELECT part.p_partkey AS c1 FROM part WHERE part.p_type = 'ECONOMY ANODIZED STEEL'
--     only those with part.p_partkey among b3.c4, where that is selective
--   bring b2: SELECT n2.n_name AS c1, supplier.s_suppkey AS c2 FROM supplier CROSS JOIN nation AS n2 WHERE supplier.s_nationkey = n2.n_nationkey
--     only those with supplier.s_suppkey among b3.c5, where that is selective
--   bring b3: SELECT orders.o_orderdate AS c1, lineitem.l_extendedprice AS c2, lineitem.l_discount AS c3, lineitem.l_partkey AS c4, lineitem.l_suppkey AS c5, orders.o_custkey AS c6 FROM lineitem CROSS JOIN orders WHERE lineitem.l_orderkey = orders.o_orderkey AND orders.o_orderdate BETWEEN '1995-01-01'::date AND '1996-12-31'::date
--     only those with lineitem.l_partkey among b1.c1, where that is selective
--     only those with lineitem.l_suppkey among b2.c2, where that is selective
--     only those with orders.o_custkey among b4.c1, where that is selective
--   bring b4: SELECT customer.c_custkey AS c1 FROM customer CROSS JOIN nation AS n1 CROSS JOIN region WHERE customer.c_nationkey = n1.n_nationkey AND n1.n_regionkey = region.r_regionkey AND region.r_name = 'AMERICA'
--     only those with customer.c_custkey among b3.c6, where that is selective
--   then SELECT all_nations.o_year, sum(CASE WHEN all_nations.nation = 'BRAZIL' THEN all_nations.volume ELSE 0 END) / sum(all_nations.volume) AS mkt_share FROM (SELECT EXTRACT(year FROM b3.c1) AS o_year, b3.c2 * (1 - b3.c3) AS volume, b2.c1 AS nation FROM unnest($1::int4[]) AS b1 (c1) CROSS JOIN unnest($2::bpchar[], $3::int4[]) AS b2 (c1, c2) CROSS JOIN unnest($4::date[], $5::"numeric"[], $6::"numeric"[], $7::int4[], $8::int4[], $9::int4[]) AS b3 (c1, c2, c3, c4, c5, c6) CROSS JOIN unnest($10::int4[]) AS b4 (c1) WHERE b1.c1 = b3.c4 AND b2.c2 = b3.c5 AND b3.c6 = b4.c1) AS all_nations GROUP BY all_nations.o_year ORDER BY all_nations.o_year
--   because: plan.placing: nation is copied to every shard
--   because: plan.placing: region is copied to every shard
--   because: plan.bringing: the rows of part, supplier, lineitem, orders, customer are brought to one server, which runs the query over them

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
--   scan: reads part as part: any key
--   scan: reads supplier as supplier: any key
--   scan: reads lineitem as lineitem: any key
--   scan: reads partsupp as partsupp: any key
--   scan: reads orders as orders: any key
--   bring b1: SELECT partsupp.ps_supplycost AS c1, partsupp.ps_suppkey AS c2, partsupp.ps_partkey AS c3, part.p_partkey AS c4 FROM part CROSS JOIN partsupp WHERE part.p_partkey = partsupp.ps_partkey AND part.p_name LIKE '%green%'
--     only those with partsupp.ps_suppkey among b2.c2, where that is selective
--     only those with partsupp.ps_suppkey among b3.c5, where that is selective
--     only those with partsupp.ps_partkey among b3.c6, where that is selective
--     only those with part.p_partkey among b3.c6, where that is selective
--   bring b2: SELECT nation.n_name AS c1, supplier.s_suppkey AS c2 FROM supplier CROSS JOIN nation WHERE supplier.s_nationkey = nation.n_nationkey
--     only those with supplier.s_suppkey among b1.c2, where that is selective
--     only those with supplier.s_suppkey among b3.c5, where that is selective
--   bring b3: SELECT orders.o_orderdate AS c1, lineitem.l_extendedprice AS c2, lineitem.l_discount AS c3, lineitem.l_quantity AS c4, lineitem.l_suppkey AS c5, lineitem.l_partkey AS c6 FROM lineitem CROSS JOIN orders WHERE orders.o_orderkey = lineitem.l_orderkey
--     only those with lineitem.l_suppkey among b1.c2, where that is selective
--     only those with lineitem.l_suppkey among b2.c2, where that is selective
--     only those with lineitem.l_partkey among b1.c3, where that is selective
--     only those with lineitem.l_partkey among b1.c4, where that is selective
--   then SELECT profit.nation, profit.o_year, sum(profit.amount) AS sum_profit FROM (SELECT b2.c1 AS nation, EXTRACT(year FROM b3.c1) AS o_year, b3.c2 * (1 - b3.c3) - b1.c1 * b3.c4 AS amount FROM unnest($1::"numeric"[], $2::int4[], $3::int4[], $4::int4[]) AS b1 (c1, c2, c3, c4) CROSS JOIN unnest($5::bpchar[], $6::int4[]) AS b2 (c1, c2) CROSS JOIN unnest($7::date[], $8::"numeric"[], $9::"numeric"[], $10::"numeric"[], $11::int4[], $12::int4[]) AS b3 (c1, c2, c3, c4, c5, c6) WHERE b2.c2 = b3.c5 AND b1.c2 = b3.c5 AND b1.c3 = b3.c6 AND b1.c4 = b3.c6) AS profit GROUP BY profit.nation, profit.o_year ORDER BY profit.nation, profit.o_year DESC
--   because: plan.placing: nation is copied to every shard
--   because: plan.bringing: the rows of part, partsupp, supplier, lineitem, orders are brought to one server, which runs the query over them

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
--   scan: reads customer as customer: any key
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   bring b1: SELECT customer.c_custkey AS c1, customer.c_name AS c2, customer.c_acctbal AS c3, nation.n_name AS c4, customer.c_address AS c5, customer.c_phone AS c6, customer.c_comment AS c7 FROM customer CROSS JOIN nation WHERE customer.c_nationkey = nation.n_nationkey
--     only those with customer.c_custkey among b2.c3, where that is selective
--   bring b2: SELECT lineitem.l_extendedprice AS c1, lineitem.l_discount AS c2, orders.o_custkey AS c3 FROM orders CROSS JOIN lineitem WHERE lineitem.l_orderkey = orders.o_orderkey AND orders.o_orderdate >= '1993-10-01'::date AND orders.o_orderdate < '1993-10-01'::date + '3'::interval month AND lineitem.l_returnflag = 'R'
--     only those with orders.o_custkey among b1.c1, where that is selective
--   then SELECT b1.c1 AS c_custkey, b1.c2 AS c_name, sum(b2.c1 * (1 - b2.c2)) AS revenue, b1.c3 AS c_acctbal, b1.c4 AS n_name, b1.c5 AS c_address, b1.c6 AS c_phone, b1.c7 AS c_comment FROM unnest($1::int4[], $2::"varchar"[], $3::"numeric"[], $4::bpchar[], $5::"varchar"[], $6::bpchar[], $7::"varchar"[]) AS b1 (c1, c2, c3, c4, c5, c6, c7) CROSS JOIN unnest($8::"numeric"[], $9::"numeric"[], $10::int4[]) AS b2 (c1, c2, c3) WHERE b1.c1 = b2.c3 GROUP BY b1.c1, b1.c2, b1.c3, b1.c6, b1.c4, b1.c5, b1.c7 ORDER BY 3 DESC LIMIT 20
--   because: plan.placing: nation is copied to every shard
--   because: plan.bringing: the rows of customer, orders, lineitem are brought to one server, which runs the query over them

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
--   read, keys
--   scan: reads partsupp as partsupp: any key
--   scan: reads supplier as supplier: any key
--   scan: reads partsupp as partsupp: any key
--   scan: reads supplier as supplier: any key
--   bring b1: SELECT partsupp.ps_partkey AS c1, partsupp.ps_supplycost AS c2, partsupp.ps_availqty AS c3, partsupp.ps_suppkey AS c4 FROM partsupp
--     only those with partsupp.ps_suppkey among b2.c1, where that is selective
--   bring b2: SELECT supplier.s_suppkey AS c1 FROM supplier CROSS JOIN nation WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_name = 'GERMANY'
--     only those with supplier.s_suppkey among b1.c4, where that is selective
--   bring b3: SELECT partsupp.ps_supplycost AS c1, partsupp.ps_availqty AS c2, partsupp.ps_suppkey AS c3 FROM partsupp
--     only those with partsupp.ps_suppkey among b4.c1, where that is selective
--   bring b4: SELECT supplier.s_suppkey AS c1 FROM supplier CROSS JOIN nation WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_name = 'GERMANY'
--     only those with supplier.s_suppkey among b3.c3, where that is selective
--   then SELECT b1.c1 AS ps_partkey, sum(b1.c2 * b1.c3) AS value FROM unnest($1::int4[], $2::"numeric"[], $3::int4[], $4::int4[]) AS b1 (c1, c2, c3, c4) CROSS JOIN unnest($5::int4[]) AS b2 (c1) WHERE b1.c4 = b2.c1 GROUP BY b1.c1 HAVING sum(b1.c2 * b1.c3) > (SELECT sum(b3.c1 * b3.c2) * 0.0001000000 AS "?column?" FROM unnest($6::"numeric"[], $7::int4[], $8::int4[]) AS b3 (c1, c2, c3) CROSS JOIN unnest($9::int4[]) AS b4 (c1) WHERE b3.c3 = b4.c1) ORDER BY 2 DESC
--   because: plan.placing: nation is copied to every shard
--   because: plan.bringing: the rows of partsupp, supplier are brought to one server, which runs the query over them

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
--   scan: reads customer as customer: any key
--   scan: reads orders as orders: any key
--   bring b2: SELECT orders.o_custkey AS c1, count(orders.o_orderkey) AS c2 FROM orders WHERE NOT orders.o_comment LIKE '%special%requests%' GROUP BY orders.o_custkey
--   bring customer as customer (c_custkey)
--   then SELECT c_orders.c_count, count(*) AS custdist FROM (SELECT customer.c_custkey, coalesce(sum(orders.b1), 0)::int8 AS count FROM unnest($3::int4[]) AS customer (c_custkey) LEFT JOIN (SELECT b2.c1 AS o_custkey, coalesce(sum(b2.c2), 0)::int8 AS b1 FROM unnest($1::int4[], $2::int8[]) AS b2 (c1, c2) GROUP BY b2.c1) AS orders ON customer.c_custkey = orders.o_custkey GROUP BY customer.c_custkey) AS c_orders (c_custkey, c_count) GROUP BY c_orders.c_count ORDER BY 2 DESC, c_orders.c_count DESC
--   because: plan.bringing: the rows of orders, customer are brought to one server, which runs the query over them

-- Q14: Promotion effect
SELECT 100.00 * sum(CASE WHEN p_type LIKE 'PROMO%' THEN l_extendedprice * (1 - l_discount) ELSE 0 END)
       / sum(l_extendedprice * (1 - l_discount)) AS promo_revenue
FROM lineitem, part
WHERE l_partkey = p_partkey
  AND l_shipdate >= date '1995-09-01'
  AND l_shipdate < date '1995-09-01' + interval '1' month;
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   scan: reads part as part: any key
--   bring b1: SELECT lineitem.l_extendedprice AS c1, lineitem.l_discount AS c2, lineitem.l_partkey AS c3 FROM lineitem WHERE lineitem.l_shipdate >= '1995-09-01'::date AND lineitem.l_shipdate < '1995-09-01'::date + '1'::interval month
--     only those with lineitem.l_partkey among b2.c2, where that is selective
--   bring b2: SELECT part.p_type AS c1, part.p_partkey AS c2 FROM part
--     only those with part.p_partkey among b1.c3, where that is selective
--   then SELECT 100.00 * sum(CASE WHEN b2.c1 LIKE 'PROMO%' THEN b1.c1 * (1 - b1.c2) ELSE 0 END) / sum(b1.c1 * (1 - b1.c2)) AS promo_revenue FROM unnest($1::"numeric"[], $2::"numeric"[], $3::int4[]) AS b1 (c1, c2, c3) CROSS JOIN unnest($4::"varchar"[], $5::int4[]) AS b2 (c1, c2) WHERE b1.c3 = b2.c2
--   because: plan.bringing: the rows of lineitem, part are brought to one server, which runs the query over them

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
--   scan: reads supplier as supplier: any key
--   bring b1: SELECT supplier.s_suppkey AS c1, supplier.s_name AS c2, supplier.s_address AS c3, supplier.s_phone AS c4 FROM supplier
--   bring b2: SELECT lineitem.l_suppkey AS c1, sum(lineitem.l_extendedprice * (1 - lineitem.l_discount)) AS c2 FROM lineitem WHERE lineitem.l_shipdate >= '1996-01-01'::date AND lineitem.l_shipdate < '1996-01-01'::date + '3'::interval month GROUP BY lineitem.l_suppkey
--   then WITH revenue (supplier_no, total_revenue) AS (SELECT b2.c1 AS l_suppkey, sum(b2.c2) AS sum FROM unnest($5::int4[], $6::"numeric"[]) AS b2 (c1, c2) GROUP BY b2.c1) SELECT b1.c1 AS s_suppkey, b1.c2 AS s_name, b1.c3 AS s_address, b1.c4 AS s_phone, revenue.total_revenue FROM unnest($1::int4[], $2::bpchar[], $3::"varchar"[], $4::bpchar[]) AS b1 (c1, c2, c3, c4) CROSS JOIN revenue WHERE b1.c1 = revenue.supplier_no AND revenue.total_revenue = (SELECT max(revenue.total_revenue) FROM revenue) ORDER BY b1.c1
--   because: plan.bringing: the rows of supplier, lineitem are brought to one server, which runs the query over them

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
--   read, keys
--   scan: reads partsupp as partsupp: any key
--   scan: reads part as part: any key
--   scan: reads supplier as supplier: any key
--   bring b1: SELECT part.p_brand AS c1, part.p_type AS c2, part.p_size AS c3, partsupp.ps_suppkey AS c4 FROM partsupp CROSS JOIN part WHERE part.p_partkey = partsupp.ps_partkey AND part.p_brand <> 'Brand#45' AND NOT part.p_type LIKE 'MEDIUM POLISHED%' AND part.p_size IN (49, 14, 23, 45, 19, 3, 36, 9)
--   bring b2: SELECT supplier.s_suppkey AS c1 FROM supplier WHERE supplier.s_comment LIKE '%Customer%Complaints%'
--   then SELECT b1.c1 AS p_brand, b1.c2 AS p_type, b1.c3 AS p_size, count(DISTINCT b1.c4) AS supplier_cnt FROM unnest($1::bpchar[], $2::"varchar"[], $3::int4[], $4::int4[]) AS b1 (c1, c2, c3, c4) WHERE b1.c4 <> ALL (SELECT b2.c1 AS s_suppkey FROM unnest($5::int4[]) AS b2 (c1)) GROUP BY b1.c1, b1.c2, b1.c3 ORDER BY 4 DESC, b1.c1, b1.c2, b1.c3
--   because: plan.bringing: the rows of partsupp, part, supplier are brought to one server, which runs the query over them

-- Q17: Small-quantity-order revenue
SELECT sum(l_extendedprice) / 7.0 AS avg_yearly
FROM lineitem, part
WHERE p_partkey = l_partkey
  AND p_brand = 'Brand#23'
  AND p_container = 'MED BOX'
  AND l_quantity < (SELECT 0.2 * avg(l_quantity) FROM lineitem WHERE l_partkey = p_partkey);
--   read, keys
--   scan: reads lineitem as lineitem: any key
--   scan: reads part as part: any key
--   scan: reads lineitem as lineitem: any key
--   bring b2: SELECT lineitem.l_extendedprice AS c1, lineitem.l_partkey AS c2, lineitem.l_quantity AS c3 FROM lineitem
--     only those with lineitem.l_partkey among b3.c1, where that is selective
--     only those with lineitem.l_partkey among b4.c1, where that is selective
--   bring b3: SELECT part.p_partkey AS c1 FROM part WHERE part.p_brand = 'Brand#23' AND part.p_container = 'MED BOX'
--     only those with part.p_partkey among b2.c2, where that is selective
--     only those with part.p_partkey among b4.c1, where that is selective
--   bring b4: SELECT lineitem.l_partkey AS c1, sum(lineitem.l_quantity) AS c2, count(lineitem.l_quantity) AS c3 FROM lineitem GROUP BY lineitem.l_partkey
--     only those with lineitem.l_partkey among b2.c2, where that is selective
--     only those with lineitem.l_partkey among b3.c1, where that is selective
--   then SELECT sum(b2.c1) / 7.0 AS avg_yearly FROM unnest($1::"numeric"[], $2::int4[], $3::"numeric"[]) AS b2 (c1, c2, c3) CROSS JOIN unnest($4::int4[]) AS b3 (c1) CROSS JOIN (SELECT b4.c1 AS k1, 0.2 * (sum(b4.c2) / nullif(sum(b4.c3), 0)) AS v FROM unnest($5::int4[], $6::"numeric"[], $7::int8[]) AS b4 (c1, c2, c3) GROUP BY b4.c1) AS b1 WHERE b3.c1 = b2.c2 AND b1.k1 = b3.c1 AND b2.c3 < b1.v
--   because: plan.bringing: the rows of lineitem, part are brought to one server, which runs the query over them

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
--   scan: reads customer as customer: any key
--   scan: reads orders as orders: any key
--   scan: reads lineitem as lineitem: any key
--   scan: reads lineitem as lineitem: any key
--   bring b1: SELECT customer.c_name AS c1, customer.c_custkey AS c2 FROM customer
--     only those with customer.c_custkey among b2.c5, where that is selective
--   bring b2: SELECT orders.o_orderkey AS c1, orders.o_orderdate AS c2, orders.o_totalprice AS c3, lineitem.l_quantity AS c4, orders.o_custkey AS c5 FROM orders CROSS JOIN lineitem WHERE orders.o_orderkey = lineitem.l_orderkey AND orders.o_orderkey = ANY (SELECT lineitem.l_orderkey FROM lineitem GROUP BY lineitem.l_orderkey HAVING sum(lineitem.l_quantity) > 300)
--     only those with orders.o_custkey among b1.c2, where that is selective
--   then SELECT b1.c1 AS c_name, b1.c2 AS c_custkey, b2.c1 AS o_orderkey, b2.c2 AS o_orderdate, b2.c3 AS o_totalprice, sum(b2.c4) AS sum FROM unnest($1::"varchar"[], $2::int4[]) AS b1 (c1, c2) CROSS JOIN unnest($3::int8[], $4::date[], $5::"numeric"[], $6::"numeric"[], $7::int4[]) AS b2 (c1, c2, c3, c4, c5) WHERE b1.c2 = b2.c5 GROUP BY b1.c1, b1.c2, b2.c1, b2.c2, b2.c3 ORDER BY b2.c3 DESC, b2.c2 LIMIT 100
--   because: plan.bringing: the rows of customer, orders, lineitem are brought to one server, which runs the query over them

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
--   scan: reads part as part: any key
--   bring b1: SELECT lineitem.l_extendedprice AS c1, lineitem.l_discount AS c2, lineitem.l_partkey AS c3, lineitem.l_quantity AS c4 FROM lineitem WHERE lineitem.l_shipmode IN ('AIR', 'AIR REG') AND lineitem.l_shipinstruct = 'DELIVER IN PERSON' AND (lineitem.l_quantity >= 1 AND lineitem.l_quantity <= 1 + 10 OR lineitem.l_quantity >= 10 AND lineitem.l_quantity <= 10 + 10 OR lineitem.l_quantity >= 20 AND lineitem.l_quantity <= 20 + 10)
--     only those with lineitem.l_partkey among b2.c1, where that is selective
--   bring b2: SELECT part.p_partkey AS c1, part.p_brand AS c2, part.p_container AS c3, part.p_size AS c4 FROM part WHERE part.p_brand = 'Brand#12' AND part.p_container IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') AND part.p_size BETWEEN 1 AND 5 OR part.p_brand = 'Brand#23' AND part.p_container IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK') AND part.p_size BETWEEN 1 AND 10 OR part.p_brand = 'Brand#34' AND part.p_container IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG') AND part.p_size BETWEEN 1 AND 15
--     only those with part.p_partkey among b1.c3, where that is selective
--   then SELECT sum(b1.c1 * (1 - b1.c2)) AS revenue FROM unnest($1::"numeric"[], $2::"numeric"[], $3::int4[], $4::"numeric"[]) AS b1 (c1, c2, c3, c4) CROSS JOIN unnest($5::int4[], $6::bpchar[], $7::bpchar[], $8::int4[]) AS b2 (c1, c2, c3, c4) WHERE b2.c1 = b1.c3 AND (b2.c2 = 'Brand#12' AND b2.c3 IN ('SM CASE', 'SM BOX', 'SM PACK', 'SM PKG') AND b1.c4 >= 1 AND b1.c4 <= 1 + 10 AND b2.c4 BETWEEN 1 AND 5 OR b2.c2 = 'Brand#23' AND b2.c3 IN ('MED BAG', 'MED BOX', 'MED PKG', 'MED PACK') AND b1.c4 >= 10 AND b1.c4 <= 10 + 10 AND b2.c4 BETWEEN 1 AND 10 OR b2.c2 = 'Brand#34' AND b2.c3 IN ('LG CASE', 'LG BOX', 'LG PACK', 'LG PKG') AND b1.c4 >= 20 AND b1.c4 <= 20 + 10 AND b2.c4 BETWEEN 1 AND 15)
--   because: plan.bringing: the rows of lineitem, part are brought to one server, which runs the query over them

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
--   scan: reads supplier as supplier: any key
--   scan: reads partsupp as partsupp: any key
--   scan: reads part as part: any key
--   scan: reads lineitem as lineitem: any key
--   bring b2: SELECT supplier.s_name AS c1, supplier.s_address AS c2, supplier.s_suppkey AS c3 FROM supplier CROSS JOIN nation WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_name = 'CANADA'
--     only those with supplier.s_suppkey among b3.c1, where that is selective
--   bring b3: SELECT partsupp.ps_suppkey AS c1, partsupp.ps_partkey AS c2, partsupp.ps_availqty AS c3 FROM partsupp WHERE partsupp.ps_partkey = ANY (SELECT part.p_partkey FROM part WHERE part.p_name LIKE 'forest%')
--     only those with partsupp.ps_suppkey among b2.c3, where that is selective
--     only those with partsupp.ps_partkey among b4.c1, where that is selective
--     only those with partsupp.ps_suppkey among b4.c2, where that is selective
--   bring b4: SELECT lineitem.l_partkey AS c1, lineitem.l_suppkey AS c2, sum(lineitem.l_quantity) AS c3 FROM lineitem WHERE lineitem.l_shipdate >= '1994-01-01'::date AND lineitem.l_shipdate < '1994-01-01'::date + '1'::interval year GROUP BY lineitem.l_partkey, lineitem.l_suppkey
--     only those with lineitem.l_partkey among b3.c2, where that is selective
--     only those with lineitem.l_suppkey among b3.c1, where that is selective
--   then SELECT b2.c1 AS s_name, b2.c2 AS s_address FROM unnest($1::bpchar[], $2::"varchar"[], $3::int4[]) AS b2 (c1, c2, c3) WHERE b2.c3 = ANY (SELECT b3.c1 AS ps_suppkey FROM unnest($4::int4[], $5::int4[], $6::int4[]) AS b3 (c1, c2, c3) CROSS JOIN (SELECT b4.c1 AS k1, b4.c2 AS k2, 0.5 * sum(b4.c3) AS v FROM unnest($7::int4[], $8::int4[], $9::"numeric"[]) AS b4 (c1, c2, c3) GROUP BY b4.c1, b4.c2) AS b1 WHERE b1.k1 = b3.c2 AND b1.k2 = b3.c1 AND b3.c3 > b1.v) ORDER BY b2.c1
--   because: plan.placing: nation is copied to every shard
--   because: plan.bringing: the rows of supplier, partsupp, lineitem are brought to one server, which runs the query over them

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
--   scan: reads supplier as supplier: any key
--   scan: reads lineitem as l1: any key
--   scan: reads orders as orders: any key
--   scan: reads lineitem as l2: any key
--   scan: reads lineitem as l3: any key
--   bring b1: SELECT supplier.s_name AS c1, supplier.s_suppkey AS c2 FROM supplier CROSS JOIN nation WHERE supplier.s_nationkey = nation.n_nationkey AND nation.n_name = 'SAUDI ARABIA'
--     only those with supplier.s_suppkey among b2.c1, where that is selective
--   bring b2: SELECT l1.l_suppkey AS c1 FROM lineitem AS l1 CROSS JOIN orders WHERE orders.o_orderkey = l1.l_orderkey AND orders.o_orderstatus = 'F' AND l1.l_receiptdate > l1.l_commitdate AND EXISTS (SELECT 1 FROM lineitem AS l2 WHERE l2.l_orderkey = l1.l_orderkey AND l2.l_suppkey <> l1.l_suppkey) AND NOT EXISTS (SELECT 1 FROM lineitem AS l3 WHERE l3.l_orderkey = l1.l_orderkey AND l3.l_suppkey <> l1.l_suppkey AND l3.l_receiptdate > l3.l_commitdate)
--     only those with l1.l_suppkey among b1.c2, where that is selective
--   then SELECT b1.c1 AS s_name, count(*) AS numwait FROM unnest($1::bpchar[], $2::int4[]) AS b1 (c1, c2) CROSS JOIN unnest($3::int4[]) AS b2 (c1) WHERE b1.c2 = b2.c1 GROUP BY b1.c1 ORDER BY 2 DESC, b1.c1 LIMIT 100
--   because: plan.placing: nation is copied to every shard
--   because: plan.bringing: the rows of supplier, lineitem, orders are brought to one server, which runs the query over them

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
--   scan: reads customer as customer: any key
--   scan: reads orders as orders: any key
--   scan: reads customer as customer: any key
--   bring b1: SELECT customer.c_phone AS c1, customer.c_acctbal AS c2, customer.c_custkey AS c3 FROM customer WHERE SUBSTRING(customer.c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
--   bring b2: SELECT sum(customer.c_acctbal) AS c1, count(customer.c_acctbal) AS c2 FROM customer WHERE customer.c_acctbal > 0.00 AND SUBSTRING(customer.c_phone FROM 1 FOR 2) IN ('13', '31', '23', '29', '30', '18', '17')
--   bring b3: SELECT DISTINCT orders.o_custkey AS c1 FROM orders
--     only those with orders.o_custkey among b1.c3, where that is selective
--   then SELECT custsale.cntrycode, count(*) AS numcust, sum(custsale.c_acctbal) AS totacctbal FROM (SELECT SUBSTRING(b1.c1 FROM 1 FOR 2) AS cntrycode, b1.c2 AS c_acctbal FROM unnest($1::bpchar[], $2::"numeric"[], $3::int4[]) AS b1 (c1, c2, c3) WHERE b1.c2 > (SELECT sum(b2.c1) / nullif(sum(b2.c2), 0) AS avg FROM unnest($4::"numeric"[], $5::int8[]) AS b2 (c1, c2)) AND NOT EXISTS (SELECT 1 FROM unnest($6::int4[]) AS b3 (c1) WHERE b3.c1 = b1.c3)) AS custsale GROUP BY custsale.cntrycode ORDER BY custsale.cntrycode
--   because: plan.bringing: the rows of customer, orders are brought to one server, which runs the query over them
