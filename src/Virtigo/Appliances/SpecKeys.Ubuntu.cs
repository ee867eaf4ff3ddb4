namespace Virtigo.Appliances;

/// <summary>The keys that only appliances of Ubuntu have.</summary>
internal static partial class SpecKeys
{
    private static SpecKey[] Ubuntu() =>
    [
        new("medium", new TextType("a path or a URL", ValueChecks.Medium),
            "The live-server ISO image that Ubuntu is installed from: a file below the spec's folder, or its address, beside which `SHA256SUMS` and "
            + "`SHA256SUMS.gpg` are. In your configuration, and as `--medium`, any path.",
            "required for `ubuntu`", "a path, or an `http` or `https` URL that ends in `.iso`",
            "medium: https://mirror.example/releases/noble/ubuntu-24.04.3-live-server-amd64.iso")
            { InConfig = true },
        new("autoinstall", new AutoinstallType(),
            "What is said to Ubuntu's installer itself, as in its autoinstall reference. It is checked before anything starts, and put together with what "
            + "the rest of the spec decides: lists of packages and commands are joined, and what both say differently is an error.",
            "none", "a mapping of autoinstall keys", "autoinstall: {source: {id: ubuntu-server-minimal}}"),
    ];
}
