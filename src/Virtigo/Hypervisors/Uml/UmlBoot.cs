namespace Virtigo.Hypervisors.Uml;

/// <summary>
/// How an installed system starts under User-Mode Linux: by the host's kernel for it instead of its own, with the modules of that one, and with its
/// agent on a serial line. Nothing of it is written to the disk but an empty folder for those modules.
/// </summary>
internal static class UmlBoot
{
    // Debian keeps the modules in a place of their own, which the guest finds through hostfs: without them a system lacks IPv6, for one.
    private const string Modules = """
        m=/lib/modules/$(uname -r)
        mkdir -p $m
        mount -t hostfs -o /usr/lib/uml/modules/${m##*/} hostfs $m
        """;

    /// <summary>The device of a partition of the first disk; 0 for one that is not divided.</summary>
    public static string Device(int partition) => partition == 0 ? "/dev/ubda" : $"/dev/ubda{partition}";

    /// <summary>The kernel and its command line.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="root">The device of the root file system.</param>
    /// <param name="serials">How many serial ports the guest has: the agent has the next.</param>
    public static KernelBoot Of(string kernel, string root, int serials) =>
        new(kernel, null, $"root={root} rw console=ttyS0 {FirstProcess.Arguments($"/dev/ttyS{serials}", hasRun: false, Modules)}");
}
