namespace Virtigo.Hypervisors.Xen;

/// <summary>
/// How an installed system starts in a guest of Xen's that has no firmware: by its own kernel and initial file system, read from its disk, and told what
/// its boot loader tells it, but for the console, which is Xen's. The agent is on the one after the serial ports. Nothing is written to the disk.
/// </summary>
internal static class XenBoot
{
    /// <summary>The kernel and its command line.</summary>
    /// <param name="kernel">The kernel.</param>
    /// <param name="initrd">The initial file system; null when there is none.</param>
    /// <param name="commandLine">What the system's boot loader tells the kernel: a guest's word.</param>
    /// <param name="serials">How many serial ports the guest has.</param>
    public static KernelBoot Of(string kernel, string? initrd, string commandLine, int serials)
    {
        // What follows "--" is for the first process, and that one is ours.
        IEnumerable<string> words = commandLine.Split(' ', StringSplitOptions.RemoveEmptyEntries).TakeWhile(word => word != "--")
            .Where(word => !word.StartsWith("console=", StringComparison.Ordinal) && !word.StartsWith("init=", StringComparison.Ordinal));
        string first = FirstProcess.Arguments(XlConfig.AgentDevice(serials), hasRun: initrd is not null);
        return new KernelBoot(kernel, initrd, string.Join(' ', [.. words, "console=hvc0", first]));
    }
}
