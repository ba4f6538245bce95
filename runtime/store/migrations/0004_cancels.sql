-- Every heartbeat asks what of its own it is to cancel. While an old transaction is open, all that the node ever ran
-- stands in the index of what runs; here stands only what somebody asked to cancel.
create index envelope_cancel on dispatcher.envelope (instance) where state = 'running' and cancel_at is not null;
