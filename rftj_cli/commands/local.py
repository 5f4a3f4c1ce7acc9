def local() -> int:
    return 0


def install() -> int:
    return 0
