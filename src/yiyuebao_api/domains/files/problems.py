"""Why a file is not taken, found, shown or deleted."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Problem, Words


class FileNotFound(Problem):
    """Named in a body: not there, not the caller's, or uploaded for something else. In a path it is NotFound."""

    status, code = 422, "file-not-found"
    title = Words("文件不可用", "File not usable")
    detail = Words(
        "没有找到该文件，或它不是为此用途上传的，请重新上传。",
        "There is no such file of yours for this purpose; upload it again.",
    )


class FileEmpty(Problem):
    status, code = 422, "file-empty"
    title = Words("文件为空", "Empty file")
    detail = Words("文件没有内容，请重新选择。", "The file is empty; choose another.")


class FileTooLarge(Problem):
    status, code = 413, "file-too-large"
    title = Words("文件过大", "File too large")
    detail = Words("文件超过 {limit_mb} MB，请压缩后再上传。", "The file is larger than {limit_mb} MB; make it smaller.")


class FileTypeNotSupported(Problem):
    status, code = 422, "file-type-not-supported"
    title = Words("文件格式不支持", "File type not supported")
    detail = Words("只支持 JPEG、PNG、WebP 图片和 PDF 文档。", "Only JPEG, PNG and WebP pictures and PDF documents are taken.")


class PictureNeeded(Problem):
    status, code = 422, "picture-needed"
    title = Words("需要图片", "A picture is needed")
    detail = Words("此处请上传照片（JPEG、PNG 或 WebP），不接受 PDF。", "Upload a photo here (JPEG, PNG or WebP), not a PDF.")


class PictureUnreadable(Problem):
    status, code = 422, "picture-unreadable"
    title = Words("图片无法读取", "The picture cannot be read")
    detail = Words("图片已损坏或不完整，请重新拍摄后上传。", "The picture is damaged or incomplete; take it again.")


class PictureTooLarge(Problem):
    status, code = 422, "picture-too-large"
    title = Words("图片尺寸过大", "Too many pixels")
    detail = Words(
        "图片不能超过 4000 万像素，且每边不超过 12000 像素，请缩小后再上传。",
        "A picture has at most 40 million pixels and 12 000 a side; make it smaller.",
    )


class PictureAnimated(Problem):
    status, code = 422, "picture-animated"
    title = Words("不支持动图", "Animated picture")
    detail = Words("不支持动图，请上传一张静态图片。", "Animated pictures are not taken; upload a still one.")


class DocumentUnreadable(Problem):
    status, code = 422, "document-unreadable"
    title = Words("文档无法读取", "The document cannot be read")
    detail = Words("PDF 已损坏或不完整，请重新导出后上传。", "The PDF is damaged or incomplete; export it again.")


class DocumentLocked(Problem):
    status, code = 422, "document-locked"
    title = Words("文档已加密", "The document is locked")
    detail = Words("请去掉 PDF 的密码或权限限制后再上传。", "Remove the PDF's password or restrictions, then upload it.")


class DocumentActive(Problem):
    status, code = 422, "document-active"
    title = Words("文档含有脚本或附件", "The document has scripts or attachments")
    detail = Words(
        "PDF 中含有脚本、附件或可执行内容，请另存为普通 PDF 后再上传。",
        "The PDF holds scripts, attachments or actions; print it to a plain PDF and upload that.",
    )


class DocumentTooLong(Problem):
    status, code = 422, "document-too-long"
    title = Words("文档页数过多", "Too many pages")
    detail = Words("PDF 不能超过 300 页，请拆分后上传。", "A PDF has at most 300 pages; split it.")


class UploadLimit(Problem):
    status, code = 429, "upload-limit"
    title = Words("上传次数过多", "Too many uploads")
    detail = Words("24 小时内最多上传 {most} 个文件，请稍后再试。", "At most {most} files in 24 hours; try again later.")


class StorageFull(Problem):
    status, code = 507, "storage-full"
    title = Words("存储空间不足", "No room left")
    detail = Words("暂时无法保存文件，我们已收到提醒，请稍后再试。", "The file cannot be kept right now; try again later.")


class FileInUse(Problem):
    status, code = 409, "file-in-use"
    title = Words("文件使用中", "File in use")
    detail = Words("该文件已随资料提交，不能单独删除。", "This file is part of something you submitted and cannot be deleted alone.")


class LinkExpired(Problem):
    status, code = 410, "link-expired"
    title = Words("链接已过期", "Link expired")
    detail = Words("下载链接已过期，请刷新页面后重试。", "This link has expired; load the page again.")
