"""What stands for the English of a notice that was told before notices had any."""

from __future__ import annotations

from yiyuebao_api.kernel.problems import Words

#: Title and sentence.
UNTOLD = (Words("消息", "News for you"), Words("请打开查看详情。", "Something has changed; open it for the details."))
