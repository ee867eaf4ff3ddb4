namespace Virtigo.Installers.Debian;

/// <summary>How debian-installer is started, and what of that the installed system keeps.</summary>
internal static class DebianBoot
{
    /// <summary>The installer's own parameters: no questions but critical ones, and those as plain text on the serial console.</summary>
    private const string Installer = "auto=true priority=critical DEBIAN_FRONTEND=text panic=1";

    /// <summary>
    /// What the installer writes into the installed system's boot loader. The last console is the one that init's messages go to,
    /// and being serial it gives the boot menu the serial port as well.
    /// </summary>
    private const string Installed = InstallMachine.KernelArguments;

    /// <summary>
    /// Kernel parameters that make the installer's own kernel cheaper to emulate; the installed system gets none of them.
    /// The guest runs for minutes, runs nothing but the archive's signed programs, and reaches nothing: hardening against
    /// hostile programs inside it protects nobody. With addresses not randomised QEMU finds code that it translated before.
    /// </summary>
    public static readonly string[] CheapToEmulate =
    [
        "norandmaps", "nokaslr", "mitigations=off", "init_on_alloc=0", "hardened_usercopy=off",
        "audit=0", "lsm=", "transparent_hugepage=never",
    ];

    /// <summary>
    /// The installer's kernel command line. In a machine without firmware it has nothing for the installed system, whose boot loader is put in from outside.
    /// </summary>
    /// <param name="machine">What the installer runs in.</param>
    /// <param name="installerOnly">Further parameters for the installer's kernel, which the installed system does not get. A name with a
    /// dot is a module parameter, which the installer would carry over: it is refused.</param>
    /// <exception cref="ArgumentException">A parameter has a blank, is a separator, or is a module's.</exception>
    public static string CommandLine(InstallMachine machine, params ReadOnlySpan<string> installerOnly)
    {
        foreach (string parameter in installerOnly)
        {
            if (parameter.Length == 0 || parameter.Any(char.IsWhiteSpace) || parameter.StartsWith("--", StringComparison.Ordinal)
                || parameter.Split('=')[0].Contains('.', StringComparison.Ordinal))
            {
                throw new ArgumentException($"\"{parameter}\" would not stay with the installer.", nameof(installerOnly));
            }
        }

        return string.Join(' ', [Installer, "console=" + machine.Console, .. installerOnly, .. machine.HasFirmware ? ["---", Installed] : Array.Empty<string>()]);
    }
}
