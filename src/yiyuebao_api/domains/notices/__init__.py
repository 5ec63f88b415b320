"""Notices (消息): what people and hospitals are told inside the product, and whether they have seen it.

Words: 消息 = *notice* · 未读 = *unread* · 收件箱 = *inbox* · 全部已读 = *read all* · 管理后台 = *desk*.

A notice is told to one account or to one hospital. A hospital's notice is shared by its desk: once one person
of it has read the notice, it is read. A notice is written by the use case that changes the state, in the same
transaction, hence exists if and only if the change committed; it is never changed afterwards, except for
being read.

Titles may be shown on a lock screen: no diagnosis and no clinical word in them (RULE-158). Bodies are sealed.
"""
