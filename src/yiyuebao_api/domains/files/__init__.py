"""Files: pictures and documents that people upload, who owns them and what they are for.

Words: 文件 = *file* · 图片 = *picture* · 文档 = *document* · 用途 = *purpose* · 缩略图 = *thumbnail* · 原件 = *original* ·
下载链接 = *signed link* · 使用中 = *kept* · 归档包 = *archive*.

States: `uploading → ready → deleting`, then the row is gone. Each step is committed before the next begins: the row
before its objects, the objects before `ready`, `deleting` before the objects go. A process killed between two steps
leaves a row that the sweep finds; an object without a row is found by listing.

Invariants: the first bytes decide what a file is; only the picture or document that was written anew is ever served; the
original is kept for purpose `record` alone, and never served; every object is encrypted under a key of its own
(RULE-149); no name and no place of the sender is kept (RULE-109). A file that no use case has *kept* within a day is
removed. This domain knows owner and purpose only: the domain that shows a file passes its own guard, then asks for a link.
"""
