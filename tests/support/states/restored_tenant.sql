-- A tenant's schema, restored in part from a dump: without statistics, with constraints that nobody
-- has proven, with what a tool wrote in mixed case, beside a schema that is none of its business.
SET statement_timeout = 0;
SELECT pg_catalog.set_config('search_path', '', false);
CREATE SCHEMA extensions;
CREATE EXTENSION pg_trgm SCHEMA extensions;
CREATE SCHEMA "Tenant 7";
CREATE TABLE "Tenant 7"."user" (
  email character varying NOT NULL, register_date character varying,
  last_activity character varying, language character varying DEFAULT 'en'::character varying);
CREATE TABLE "Tenant 7".dishes_day (
  "time" integer NOT NULL, date character varying, dish_name character varying(200),
  estimated_avg_calories integer, ingredients character varying[], total_avg_weight integer,
  contains json, user_email character varying);
CREATE TABLE "Tenant 7".total_for_day (
  date date NOT NULL, user_email character varying NOT NULL, total_calories integer NOT NULL,
  ingredients character varying[], dishes_of_day character varying[],
  total_avg_weight integer NOT NULL, contains json NOT NULL);
CREATE TABLE "Tenant 7".weight (
  "time" integer NOT NULL, date character varying, weight double precision,
  user_email character varying);
CREATE TABLE "Tenant 7"."Dishes_Day" ("Time" integer NOT NULL, "Dish" text);
CREATE TABLE "Tenant 7"."Weight" (weight integer);
CREATE TABLE public.dishes_day ("time" text, date text);

INSERT INTO "Tenant 7"."user" (email, language)
SELECT 'user' || g || '@example.org', NULLIF('de', repeat('de', g % 2))
FROM pg_catalog.generate_series(1, 30) g;
INSERT INTO "Tenant 7".dishes_day
SELECT 1735689600 + g * 3600, CASE WHEN g % 7 > 0 THEN pg_catalog.to_char(
  pg_catalog.to_timestamp(1735689600 + g * 3600) AT TIME ZONE 'UTC', 'YYYY-MM-DD') END,
  NULLIF('dish ' || g, 'dish 12'), NULLIF(g, 13), ARRAY['a'], g, '{}',
  CASE WHEN g % 2 > 0 THEN 'user1@example.org' END
FROM pg_catalog.generate_series(1, 300) g;
INSERT INTO "Tenant 7".total_for_day
SELECT date '2025-01-01' + g, 'user1@example.org', g, NULL, '{b}', g, '{}'
FROM pg_catalog.generate_series(1, 200) g;
INSERT INTO "Tenant 7".weight
SELECT 1735689600 + g, '2025-01-01', CASE WHEN g <> 2 THEN g ELSE 0 END, NULLIF('user1@example.org', repeat('user1@example.org',
  g % 2)) FROM pg_catalog.generate_series(1, 100) g;
INSERT INTO "Tenant 7"."Dishes_Day" VALUES (1, 'Soup');
INSERT INTO public.dishes_day VALUES ('yesterday', 'noon');

ALTER TABLE ONLY "Tenant 7"."user" ADD CONSTRAINT user_pkey PRIMARY KEY (email);
ALTER TABLE ONLY "Tenant 7".weight ADD CONSTRAINT weight_pkey PRIMARY KEY ("time");
ALTER TABLE ONLY "Tenant 7"."Dishes_Day" ADD CONSTRAINT dishes_day_pkey1 PRIMARY KEY ("Time");
ALTER TABLE "Tenant 7".weight ADD CONSTRAINT weight_positive CHECK (weight >= 1) NOT VALID;
ALTER TABLE "Tenant 7".dishes_day ADD CONSTRAINT dishes_day_user FOREIGN KEY (user_email)
  REFERENCES "Tenant 7"."user" (email) NOT VALID;
INSERT INTO "Tenant 7"."user" (email) VALUES ('legacy@localhost');
CREATE INDEX idx_dishes_day_user_email ON "Tenant 7".dishes_day USING btree (user_email);
CREATE INDEX idx_users_email_gin ON "Tenant 7"."user" USING gin (email extensions.gin_trgm_ops);
CREATE INDEX "idx_Weight_Date" ON "Tenant 7".weight USING btree (date);
DO $$ BEGIN
  IF current_setting('server_version_num')::integer >= 180000 THEN
    EXECUTE 'ALTER TABLE "Tenant 7".dishes_day ADD CONSTRAINT named NOT NULL dish_name NOT VALID';
    EXECUTE 'ALTER TABLE "Tenant 7".weight ADD CONSTRAINT named_too NOT NULL date NOT VALID';
  END IF;
END $$;
