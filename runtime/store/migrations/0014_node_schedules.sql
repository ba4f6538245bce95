-- The schedules of scope `node` that a node ticks by itself, with the instance that told them: for those who look.
alter table dispatcher.node add column schedules json;
