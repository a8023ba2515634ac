-- All seven tables, with more in them than the models know. Six indexes are missing, one is invalid.
CREATE EXTENSION pg_trgm;
CREATE TABLE "user" (
  email varchar PRIMARY KEY, register_date varchar, last_activity varchar, language varchar);
CREATE TABLE dishes (
  id serial PRIMARY KEY, name varchar NOT NULL, calories integer NOT NULL, weight integer NOT NULL,
  ingredients varchar[] NOT NULL, contains json NOT NULL, user_email varchar NOT NULL);
CREATE TABLE dishes_day (
  time bigint PRIMARY KEY, date date NOT NULL, dish_name varchar NOT NULL,
  estimated_avg_calories integer NOT NULL, ingredients varchar[] NOT NULL,
  total_avg_weight integer NOT NULL, contains json NOT NULL, user_email varchar NOT NULL,
  health_rating integer, food_health_level varchar, image_id varchar,
  added_sugar_tsp real DEFAULT 0.0);
CREATE TABLE total_for_day (
  date date, user_email varchar, total_calories integer NOT NULL, ingredients varchar[] NOT NULL,
  dishes_of_day varchar[] NOT NULL, total_avg_weight integer NOT NULL, contains json NOT NULL,
  today date NOT NULL, PRIMARY KEY (date, user_email));
CREATE TABLE weight (
  time bigint PRIMARY KEY, date varchar NOT NULL, weight float NOT NULL,
  user_email varchar NOT NULL);
CREATE TABLE alcohol_consumption (
  time bigint PRIMARY KEY, date date NOT NULL, drink_name varchar NOT NULL,
  calories integer NOT NULL, quantity integer NOT NULL, user_email varchar NOT NULL);
CREATE TABLE alcohol_for_day (
  date date, user_email varchar, total_drinks integer NOT NULL, total_calories integer NOT NULL,
  drinks_of_day varchar[] NOT NULL, PRIMARY KEY (date, user_email));
CREATE TABLE admin_data (id serial PRIMARY KEY, body json);
CREATE TABLE feedbacks (id serial PRIMARY KEY, user_email varchar, message text);
CREATE TABLE chess_games (id serial PRIMARY KEY, moves text);

INSERT INTO "user"
SELECT 'user' || g || '@example.org', '2025-12-01', CASE WHEN g % 3 > 0 THEN '2026-02-01' END,
  CASE g % 4 WHEN 0 THEN 'de' WHEN 1 THEN 'en' WHEN 2 THEN 'ru' END
FROM generate_series(1, 60) g;
INSERT INTO dishes (name, calories, weight, ingredients, contains, user_email)
SELECT 'dish ' || g, g, 2 * g, ARRAY['a', 'b'], '{"fat": 1}', 'user' || 1 + g % 60 || '@example.org'
FROM generate_series(1, 200) g;
INSERT INTO dishes_day
SELECT 1767225600 + g * 1800, date '2026-01-01' + g / 48, 'dish ' || g, g, ARRAY['a'], g,
  '{"fat": 1}', 'user' || 1 + g % 60 || '@example.org', NULLIF(g % 100, 0), 'good', NULL, g % 5
FROM generate_series(1, 400) g;
INSERT INTO total_for_day
SELECT date '2026-01-01' + g / 60, 'user' || 1 + g % 60 || '@example.org', g, '{a}', '{b}', g,
  '{}', date '2026-01-01' + g / 60
FROM generate_series(0, 299) g;
INSERT INTO weight
SELECT 1767225600 + g, '2026-01-01', 80.1 + g / 10.0, 'user' || 1 + g % 60 || '@example.org'
FROM generate_series(1, 100) g;
INSERT INTO alcohol_consumption
SELECT 1767225600 + g, '2026-01-01', 'cider', 90, 330, 'user' || 1 + g % 60 || '@example.org'
FROM generate_series(1, 50) g;
INSERT INTO alcohol_for_day
SELECT '2026-01-01', 'user' || g || '@example.org', 1, 90, '{cider}' FROM generate_series(1, 50) g;
INSERT INTO feedbacks (user_email, message) VALUES ('user1@example.org', 'more chess, please');

CREATE INDEX idx_users_email ON "user" (email);
CREATE INDEX idx_users_email_gin ON "user" USING gin (email gin_trgm_ops);
CREATE INDEX idx_users_last_activity ON "user" (last_activity);
CREATE INDEX idx_users_register_date ON "user" (register_date);
CREATE INDEX idx_dishes_user_email ON dishes (user_email);
CREATE INDEX idx_dishes_name ON dishes (name);
CREATE INDEX idx_dishes_day_user_email ON dishes_day (user_email);
CREATE INDEX idx_dishes_day_date ON dishes_day (date);
CREATE INDEX idx_dishes_day_time ON dishes_day (time);
CREATE INDEX idx_dishes_day_user_date ON dishes_day (user_email, date);
CREATE INDEX idx_dishes_day_sugar ON dishes_day (user_email, added_sugar_tsp)
  WHERE added_sugar_tsp > 0;
CREATE INDEX idx_total_for_day_user_email ON total_for_day (user_email);
CREATE INDEX idx_total_for_day_today ON total_for_day (today);
CREATE INDEX idx_weight_user_email ON weight (user_email);
CREATE INDEX idx_weight_time ON weight (time);
CREATE INDEX idx_weight_date ON weight (date);
CREATE INDEX idx_alcohol_consumption_user_email ON alcohol_consumption (user_email);
CREATE INDEX idx_alcohol_consumption_date ON alcohol_consumption (date);
CREATE INDEX idx_alcohol_for_day_user_email ON alcohol_for_day (user_email);
CREATE INDEX idx_alcohol_for_day_date ON alcohol_for_day (date);
UPDATE pg_index SET indisvalid = false WHERE indexrelid = 'idx_dishes_name'::regclass;
