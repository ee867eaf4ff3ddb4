namespace Virtigo.Installers.Debian;

/// <summary>The program that hands the carried components to the installer (anna), in the place of the one that downloads them.</summary>
internal static class Retriever
{
    /// <summary>Where it is in the initial file system.</summary>
    public const string Path = "usr/lib/debian-installer/retriever/net-retriever";

    /// <summary>The folder of the components in the initial file system.</summary>
    public const string Store = "virtigo";

    /// <summary>
    /// The program. <c>VIRTIGO_STORE</c> exists for tests outside of a guest. Exit codes as the installer defines them:
    /// 0 done, 1 failed, and for <c>error</c> 2 to give up, since asking nobody to try again would not help.
    /// </summary>
    public const string Script = """
        #!/bin/sh
        store=${VIRTIGO_STORE:-/virtigo}
        log() { logger -t virtigo-retriever "$*"; }
        fail() { log "error: $*"; exit 1; }

        command=$1
        [ $# -gt 0 ] && shift
        case "$command" in
        packages)
            [ -n "$1" ] || fail "packages: no destination"
            cp "$store/Packages" "$1" || fail "the list of components could not be written to $1"
            log "components are carried in the initial file system: $(grep -c '^Package:' "$store/Packages")"
            ;;
        retrieve)
            case "$1" in
            ''|*/*) fail "component $1 is not carried in the initial file system" ;;
            esac
            [ -f "$store/$1" ] || fail "component $1 is not carried in the initial file system"
            [ -n "$2" ] || fail "retrieve: no destination"
            rm -f "$2"
            ln "$store/$1" "$2" 2>/dev/null || cp "$store/$1" "$2" || fail "component $1 could not be written to $2"
            ;;
        config|cleanup)
            ;;
        error)
            log "error: the installer could not ${1:-get a component}; every component it may ask for is carried along"
            exit 2
            ;;
        *)
            fail "unknown command $command"
            ;;
        esac
        exit 0

        """;
}
