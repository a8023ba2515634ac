-- An owner's column that was added by hand and half filled, dates of both shapes, a key of before,
-- and what interrupted runs leave.
CREATE EXTENSION pg_trgm;
CREATE TABLE dishes_day (time integer PRIMARY KEY, date varchar(10), dish_name varchar(200) NOT NULL, estimated_avg_calories smallint, ingredients text[], total_avg_weight integer, contains jsonb, user_email varchar);
CREATE TABLE total_for_day (today date PRIMARY KEY, date date, total_calories integer NOT NULL, ingredients varchar[] NOT NULL, dishes_of_day varchar[] NOT NULL, total_avg_weight integer NOT NULL, contains json NOT NULL, user_email varchar NOT NULL);
CREATE TABLE weight (time bigint PRIMARY KEY, date varchar NOT NULL, weight real, user_email varchar NOT NULL DEFAULT 'me@example.org');
INSERT INTO dishes_day SELECT 1731000000 + g * 3600, CASE WHEN g % 2 = 0 THEN to_char(to_timestamp(1731000000 + g * 3600) AT TIME ZONE 'UTC', 'DD-MM-YYYY') WHEN g % 3 = 0 THEN NULL ELSE to_char(to_timestamp(1731000000 + g * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD') END, 'dish ' || g, g, ARRAY['a'], NULLIF(g, 7), '{"x": 1}', CASE WHEN g % 5 = 0 THEN NULL ELSE 'ann@example.org' END FROM generate_series(1, 300) g;
INSERT INTO total_for_day SELECT date '2024-11-01' + g, CASE WHEN g % 4 > 0 THEN date '2024-11-01' + g END, g, '{a}', '{b}', g, '{}', 'ann@example.org' FROM generate_series(1, 200) g;
INSERT INTO weight SELECT 1731000000 + g, '2024-11-08', g / 2.0 FROM generate_series(1, 200) g;
ALTER TABLE dishes_day ADD CONSTRAINT eater_new_user_email_not_null CHECK (user_email IS NOT NULL) NOT VALID;
CREATE INDEX idx_dishes_day_date ON dishes_day (dish_name);
CREATE INDEX eater_new_idx_dishes_day_time ON dishes_day (time);
CREATE INDEX eater_old_idx_dishes_day_user_email ON dishes_day (user_email);
CREATE INDEX idx_weight_user_email ON weight (user_email);
CREATE INDEX idx_weight_user_email_ccnew ON weight (user_email);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_weight_user_email_ccnew'::regclass;
CREATE UNIQUE INDEX eater_new_total_for_day_pkey ON total_for_day (date, user_email);
CREATE INDEX somebody_elses_ccnew ON weight (weight);
