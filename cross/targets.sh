# Describes a target: sets DEBIAN_ARCHITECTURE, GNU (the compilers' prefix) and QEMU from a Rust target. To be sourced.
# The oldest system that a release must run on is Debian 12, with its glibc and the libstdc++ of its GCC 12.
HIGHEST_GLIBC=2.36
HIGHEST_GLIBCXX=3.4.30
HIGHEST_CXXABI=1.3.13

name_target() {
    case $1 in
        aarch64-unknown-linux-gnu) DEBIAN_ARCHITECTURE=arm64 GNU=aarch64-linux-gnu QEMU=qemu-aarch64-static ;;
        armv7-unknown-linux-gnueabihf) DEBIAN_ARCHITECTURE=armhf GNU=arm-linux-gnueabihf QEMU=qemu-arm-static ;;
        x86_64-unknown-linux-gnu) DEBIAN_ARCHITECTURE=amd64 GNU=x86_64-linux-gnu QEMU=qemu-x86_64-static ;;
        *)
            echo "TARGET is one of aarch64-unknown-linux-gnu, armv7-unknown-linux-gnueabihf, x86_64-unknown-linux-gnu; not '$1'" >&2
            return 64
            ;;
    esac
}
