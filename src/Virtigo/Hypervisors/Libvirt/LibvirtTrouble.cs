using Virtigo.Host;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>What mends what libvirt complains of.</summary>
internal static class LibvirtTrouble
{
    /// <summary>The step that mends it, or null when none is known.</summary>
    /// <param name="uri">The connection.</param>
    /// <param name="said">What the client said.</param>
    public static string? Mend(LibvirtUri uri, string said)
    {
        bool Has(string words) => said.Contains(words, StringComparison.Ordinal);
        return uri.Kind switch
        {
            _ when Has("no connection driver available") || Has("libvirt_driver_qemu") => "apt install libvirt-daemon-driver-qemu",
            LibvirtKind.Session when Has("libvirtd") && (Has("does not exist") || Has("No such file")) => "apt install libvirt-daemon",
            LibvirtKind.System when Has("Failed to connect socket") && Has("No such file") => "apt install libvirt-daemon-system",
            LibvirtKind.System when Has("Permission denied") || Has("authentication") || Has("access denied") =>
                $"sudo adduser {ShellQuote.Word(Environment.UserName)} libvirt, then log in again; or use qemu:///session",
            _ when Has("Cannot find") && Has("qemu-system") => "apt install qemu-system-x86",
            LibvirtKind.Session when Has("firmware") => "apt install ovmf",
            _ => null,
        };
    }
}
