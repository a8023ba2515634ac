-- One user, dates as text, nothing but the keys required.
CREATE TABLE dishes_day (
  "time" serial PRIMARY KEY, date varchar, dish_name varchar, estimated_avg_calories integer,
  ingredients varchar[], total_avg_weight integer, contains json);
CREATE TABLE total_for_day (
  today varchar PRIMARY KEY, total_calories integer, ingredients varchar[],
  dishes_of_day varchar[], total_avg_weight integer, contains json);
CREATE TABLE weight ("time" serial PRIMARY KEY, date varchar, weight float);
INSERT INTO dishes_day
SELECT 1731000000 + g * 3600,
  to_char(to_timestamp(1731000000 + g * 3600) AT TIME ZONE 'UTC', 'DD-MM-YYYY'),
  NULLIF('dish ' || g, 'dish 17'), g, ARRAY['a', 'b "' || g], NULLIF(g, 100),
  CASE WHEN g <> 9 THEN json_build_object('fat', g / 4.0) END
FROM generate_series(1, 300) g;
INSERT INTO total_for_day
SELECT to_char(date '2024-11-01' + g, 'DD-MM-YYYY'), 2000 + g, ARRAY['a'],
  CASE WHEN g % 10 > 0 THEN ARRAY['dish ' || g] END, 300, '{"fat": 1}'
FROM generate_series(1, 100) g;
INSERT INTO weight
SELECT 1731000000 + g * 86400,
  to_char(to_timestamp(1731000000 + g * 86400) AT TIME ZONE 'UTC', 'DD-MM-YYYY'),
  CASE WHEN g % 25 > 0 THEN 80.1 + g / 10.0 END
FROM generate_series(1, 100) g;
