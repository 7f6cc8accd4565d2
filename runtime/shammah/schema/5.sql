-- Schema 5: which thresholds applied to a question, empty where no router was asked, the router's also where everything was forwarded.
ALTER TABLE questions ADD COLUMN router_threshold REAL;
ALTER TABLE questions ADD COLUMN validator_threshold REAL;
