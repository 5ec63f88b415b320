"""What can be done with files."""

from yiyuebao_api.domains.files.service.archives import (
    ATTEMPT_LIFE,
    Archive,
    forget_archives,
    put_archive,
    read_archive,
    told_as_json,
)
from yiyuebao_api.domains.files.service.downloads import LinkedFile, read_file, read_linked_file
from yiyuebao_api.domains.files.service.keeping import delete_file, keep, keep_all, sweep
from yiyuebao_api.domains.files.service.links import FileLink, signed_link
from yiyuebao_api.domains.files.service.uploads import upload_file

__all__ = [
    "ATTEMPT_LIFE", "Archive", "FileLink", "LinkedFile", "delete_file", "forget_archives", "keep", "keep_all", "put_archive",
    "read_archive", "read_file", "read_linked_file", "signed_link", "sweep", "told_as_json", "upload_file",
]  # fmt: skip
