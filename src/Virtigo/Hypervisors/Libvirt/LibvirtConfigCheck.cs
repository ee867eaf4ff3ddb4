using Virtigo.Host;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>Refuses what only libvirt cannot do.</summary>
internal static class LibvirtConfigCheck
{
    /// <summary>Checks a guest that the check common to all has passed.</summary>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/>, naming the guest, the value and what was expected; <see cref="FailureKind.Host"/> for a socket's path that
    /// is too long.
    /// </exception>
    public static void Check(GuestConfig config)
    {
        GuestConfigCheck.Expect(config, config.Accelerator is Accelerator.Auto or Accelerator.Kvm or Accelerator.Tcg, $"its accelerator is {config.Accelerator}", "auto, kvm or tcg");
        GuestConfigCheck.Expect(config, config.CpuModel is null || LibvirtCpu.Element(config.CpuModel) is not null, $"its processor is '{config.CpuModel}'",
            "a model with features as +NAME, -NAME, NAME=on or NAME=off under libvirt");
        foreach ((string what, string text) in Texts(config))
        {
            GuestConfigCheck.Expect(config, LibvirtDomain.CanHold(text), $"its {what} has a control character", "characters that XML can hold under libvirt");
        }

        foreach (string socket in LibvirtDomain.Sockets(config))
        {
            UnixListener.CheckLength(socket);
        }
    }

    private static IEnumerable<(string What, string Text)> Texts(GuestConfig config) =>
    [
        ("work folder", config.WorkDirectory),
        .. config.Disks.Select(disk => ("disk's path", disk.Path)),
        .. config.Nics.Select(nic => ("network's path", nic.Socket)),
        .. config.Kernel is not { } kernel ? Array.Empty<(string, string)>()
            : [("kernel's path", kernel.KernelPath), ("initrd's path", kernel.InitrdPath ?? ""), ("kernel's command line", kernel.CommandLine)],
    ];
}
