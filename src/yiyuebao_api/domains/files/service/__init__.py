"""What can be done with files."""

from yiyuebao_api.domains.files.service.downloads import LinkedFile, read_file, read_linked_file
from yiyuebao_api.domains.files.service.keeping import delete_file, keep, sweep
from yiyuebao_api.domains.files.service.links import FileLink, signed_link
from yiyuebao_api.domains.files.service.uploads import upload_file

__all__ = [
    "FileLink", "LinkedFile", "delete_file", "keep", "read_file", "read_linked_file", "signed_link", "sweep", "upload_file",
]  # fmt: skip
