using System.Text;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Xen;

/// <summary>Refuses what only Xen cannot do.</summary>
internal static class XenConfigCheck
{
    /// <summary>Checks a guest that the check common to all has passed.</summary>
    /// <param name="config">The guest.</param>
    /// <param name="kind">How it is virtualised; not <see cref="XenDomainKind.Auto"/>.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>, naming the guest, the value and what was expected.</exception>
    public static void Check(GuestConfig config, XenDomainKind kind)
    {
        GuestConfigCheck.Expect(config, config.Accelerator is Accelerator.Auto or Accelerator.Xen, $"its accelerator is {config.Accelerator}", "auto or xen");
        GuestConfigCheck.Expect(config, config.CpuModel is null, $"its processor is '{config.CpuModel}'", "none under xen: it is the host's");
        GuestConfigCheck.Expect(config, kind == XenDomainKind.Hvm || config.Disks.All(disk => disk.Serial is null), "a disk has a serial number",
            "none under xen unless the guest is HVM");
        string line = config.Kernel?.CommandLine ?? "";
        GuestConfigCheck.Expect(config, Encoding.UTF8.GetByteCount(line) <= XlConfig.LongestArguments && !line.Any(char.IsControl),
            $"its kernel's command line has {Encoding.UTF8.GetByteCount(line)} bytes or more than one line", $"one line of at most {XlConfig.LongestArguments}");
        GuestConfigCheck.Expect(config, !config.WorkDirectory.Any(each => each is ',' or '"' or '\'' or '\\' or '=' or '[' or ']' || char.IsControl(each)),
            $"its work folder is '{config.WorkDirectory}'", "a path without commas, quotes, brackets and '=', which xl takes for its own");
        foreach (string socket in QemuCommandLine.DeviceSockets(config).Concat(XlConfig.Channels(config).Select(channel => channel.Socket)))
        {
            UnixListener.CheckLength(socket);
        }
    }
}
