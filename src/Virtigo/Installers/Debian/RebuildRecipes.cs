using System.IO.Enumeration;

namespace Virtigo.Installers.Debian;

/// <summary>How a component is made from ordinary packages of the same version.</summary>
/// <param name="Packages">Groups of alternative package names; from each group the first that the archive has is used.</param>
/// <param name="Files">Which files are taken, by their path in a merged file system; <c>*</c> matches anything, also <c>/</c>.</param>
internal sealed record RebuildRecipe(IReadOnlyList<IReadOnlyList<string>> Packages, IReadOnlyList<string> Files)
{
    /// <summary>Whether a file belongs into the component.</summary>
    /// <param name="path">The path in a merged file system.</param>
    public bool Takes(string path) => Files.Any(pattern => FileSystemName.MatchesSimpleExpression(pattern, path, ignoreCase: false));
}

/// <summary>How components that a mirror lacks are rebuilt, except those with kernel modules (<see cref="KernelModuleSets"/>).</summary>
internal static class RebuildRecipes
{
    private const string ComponentSuffix = "-udeb";

    private static readonly Dictionary<string, RebuildRecipe> Table = new(StringComparer.Ordinal)
    {
        ["cryptsetup-udeb"] = new([["cryptsetup-bin"]], ["usr/sbin/cryptsetup"]),
        ["dmsetup-udeb"] = new([["dmsetup"]], ["usr/sbin/dmsetup"]),
        ["e2fsprogs-udeb"] = new(
            [["e2fsprogs"], ["libext2fs2t64", "libext2fs2"], ["libss2"], ["libcom-err2"]],
            [
                "etc/mke2fs.conf", "usr/sbin/badblocks", "usr/sbin/e2fsck", "usr/sbin/fsck.ext?", "usr/sbin/mke2fs", "usr/sbin/mkfs.ext?",
                "usr/sbin/resize2fs", "usr/sbin/tune2fs", "usr/lib/*.so.*",
            ]),
        ["eject-udeb"] = new([["eject"]], ["usr/bin/eject"]),
        ["fdisk-udeb"] = new(
            [["fdisk"], ["libfdisk1"], ["libsmartcols1"]], ["usr/sbin/fdisk", "usr/sbin/sfdisk", "usr/lib/*.so.*"]),
        ["gpgv-udeb"] = new([["gpgv"]], ["usr/bin/gpgv"]),
        ["libcrypto3-udeb"] = new([["libssl3t64", "libssl3"]], ["usr/lib/*libcrypto.so.*"]),
        ["util-linux-udeb"] = new([["util-linux"]], ["usr/bin/fallocate", "usr/sbin/blkid"]),
        ["xfsprogs-udeb"] = new([["xfsprogs"]], ["usr/sbin/fsck.xfs", "usr/sbin/mkfs.xfs", "usr/sbin/xfs_repair"]),
    };

    /// <summary>The recipe of a component, or null when none is known.</summary>
    public static RebuildRecipe? Find(string component)
    {
        if (Table.TryGetValue(component, out RebuildRecipe? known))
        {
            return known;
        }

        // A library's component has the shared library of the package of the same name (t64: since the 64-bit time transition).
        return component.StartsWith("lib", StringComparison.Ordinal) && component.EndsWith(ComponentSuffix, StringComparison.Ordinal)
            && component[..^ComponentSuffix.Length] is var library
            ? new RebuildRecipe([[library, library + "t64"]], ["usr/lib/*.so.*"])
            : null;
    }
}
