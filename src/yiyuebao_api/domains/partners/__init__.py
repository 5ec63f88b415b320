"""Partners (第三方对接): what a hospital's own systems are told, by webhook or by asking.

Words: 回调地址 = *endpoint* · 事件 = *event* · 投递 = *delivery* · 重放 = *replay* ·
签名密钥 = *secret* · 拉取 = *feed*.

An **event** is written by `publish` in the transaction of the use case that changed the state, with one
**delivery** and one outbox job for every active endpoint that listens to its type: all of it exists if and
only if the change committed.

States of an endpoint: `active ⇄ paused` by the desk; `active → paused` by itself after three days of failing,
`active → disabled` when it answers 410 Gone; both tell the desk, and the desk may make it active again.
States of a delivery: `pending → succeeded | failed | replaced`; a replay is a new delivery, the old one stays
in the log.

Promises to receivers (Standard Webhooks 1.0): at least once · `webhook-id` is the event's id, equal over all
attempts and replays · no order (take the state from the data, or read the feed) · ten attempts over about 75
hours · only 2xx is success.

The **feed** gives the same events, numbered per hospital without gaps. Numbers are given when the feed is
read, to events that have been committed by then: so an event that commits late gets a later number, no reader
that remembers the last number can miss it, and no publisher ever waits for a counter.

Events carry ids, numbers, states and amounts; no name, phone, address or clinical word.
"""
