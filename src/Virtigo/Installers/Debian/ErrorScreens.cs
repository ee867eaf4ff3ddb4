namespace Virtigo.Installers.Debian;

/// <summary>What the installer's own error screens mean, and what to do about each.</summary>
internal static class ErrorScreens
{
    private const string AnotherMirror = "Try another mirror (mirror: in the spec), or try again later.";
    private const string LargerDisk = "Give the appliance a larger disk, for example disk: 8GiB.";

    private static readonly (string Mark, FailureKind Kind, string Meaning, string? Hint)[] s_screens =
    [
        ("signed by unknown key", FailureKind.Trust, "The archive's Release file is signed by a key that the installer does not know",
            "Take the archive's own mirror, or an installer of the same release."),
        ("Network autoconfiguration failed", FailureKind.Guest, "The guest got no address by DHCP",
            "Virtigo's gateway serves it; see its log in the report."),
        ("Network configuration method", FailureKind.Guest, "The guest got no address by DHCP",
            "Virtigo's gateway serves it; see its log in the report."),
        ("No network interfaces detected", FailureKind.Guest, "The guest has no network card that its kernel knows",
            "The kernel modules of the network card are missing."),
        ("Ethernet card not found", FailureKind.Guest, "The guest has no network card that its kernel knows",
            "The kernel modules of the network card are missing."),
        ("No partitionable media", FailureKind.Guest, "The guest has no disk that its kernel knows", "The kernel modules of the disk are missing."),
        ("Bad archive mirror", FailureKind.Archive, "The mirror is not what it should be: unreachable, incomplete, or without this release",
            AnotherMirror),
        ("Architecture not supported", FailureKind.Archive, "The mirror does not carry this architecture", AnotherMirror),
        ("Downloading a file failed", FailureKind.Archive, "The mirror did not give a file", AnotherMirror),
        ("Cannot access repository", FailureKind.Archive, "A repository cannot be reached", AnotherMirror),
        ("Failed to load installer component", FailureKind.Install, "A component of the installer could not be loaded", null),
        ("Failed getting Release", FailureKind.Archive, "The mirror did not give the archive's Release file", AnotherMirror),
        ("Invalid Release file", FailureKind.Archive, "The mirror's Release file lacks something", AnotherMirror),
        ("Couldn't retrieve", FailureKind.Archive, "The mirror did not give a package of the base system", AnotherMirror),
        ("Base system installation error", FailureKind.Install, "The base system could not be installed", null),
        ("Failed to install the base system", FailureKind.Install, "The base system could not be installed", null),
        ("Unable to install the selected kernel", FailureKind.Install, "The kernel package could not be installed", null),
        ("Cannot install kernel", FailureKind.Archive, "The archive has no kernel for this architecture", AnotherMirror),
        ("Failed to partition the selected disk", FailureKind.Install, "The disk could not be partitioned; it is probably too small", LargerDisk),
        ("Unusable free space", FailureKind.Install, "The disk could not be partitioned; it is probably too small", LargerDisk),
        ("Failed to create a file system", FailureKind.Install, "The file system could not be made", null),
        ("GRUB installation failed", FailureKind.Install, "The boot loader's package could not be installed", null),
        ("Unable to install GRUB", FailureKind.Install, "The boot loader could not be written", null),
        ("Unable to configure GRUB", FailureKind.Install, "The boot loader could not be configured", null),
        ("Failed to process the preconfiguration file", FailureKind.Internal, "The installer could not read its answers",
            "Run: virtigo lint-preseed FILE"),
        ("Failed to run preseeded command", FailureKind.Install, "A command of the answers failed", null),
        ("Insufficient memory", FailureKind.Guest, "The guest has too little memory for the installer", "Give it more, for example memory: 1GiB."),
        ("Reserved username", FailureKind.Usage, "The user's name is one that the system uses itself", "Choose another name."),
        ("Invalid username", FailureKind.Usage, "The user's name is not one that Debian accepts", "Choose another name."),
    ];

    /// <summary>What a screen means, or null when it is not one that is known.</summary>
    public static (FailureKind Kind, string Meaning, string? Hint)? Meaning(ConsoleQuestion screen)
    {
        foreach ((string mark, FailureKind kind, string meaning, string? hint) in s_screens)
        {
            if (screen.Question.StartsWith(mark, StringComparison.Ordinal)
                || (screen.IsError && screen.Text.Contains(mark, StringComparison.Ordinal)))
            {
                return (kind, meaning, hint);
            }
        }

        return null;
    }
}
