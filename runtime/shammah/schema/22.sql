-- Schema 22: what a day or a month has cost is summed without a look at the rows themselves.
DROP INDEX spending_day;
CREATE INDEX spending_day ON spending (day, usd);
