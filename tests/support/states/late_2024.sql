CREATE TABLE dishes_day("time" SERIAL PRIMARY KEY, date VARCHAR, dish_name VARCHAR, estimated_avg_calories INTEGER, ingredients VARCHAR[], total_avg_weight INTEGER, contains JSON);
CREATE TABLE total_for_day(today VARCHAR PRIMARY KEY, total_calories INTEGER, ingredients VARCHAR[], dishes_of_day VARCHAR[], total_avg_weight INTEGER, contains JSON);
CREATE TABLE weight("time" SERIAL PRIMARY KEY, date VARCHAR, weight FLOAT);
INSERT INTO dishes_day SELECT 1731000000+g*3600, to_char(to_timestamp(1731000000+g*3600),'DD-MM-YYYY'), 'dish '||g, g, ARRAY['a','b'], 100, '{"x": 1}' FROM generate_series(1,300) g;
INSERT INTO total_for_day SELECT to_char(date '2024-11-01'+g,'DD-MM-YYYY'), 2000, ARRAY['a'], ARRAY['b'], 300, '{}' FROM generate_series(1,100) g;
INSERT INTO weight SELECT 1731000000+g*86400, to_char(to_timestamp(1731000000+g*86400),'DD-MM-YYYY'), 80.5 FROM generate_series(1,100) g;
