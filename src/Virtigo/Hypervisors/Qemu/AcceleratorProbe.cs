using System.Security.Cryptography;
using System.Text;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>
/// Finds out by running a guest whether KVM works, and how fast guests are. That /dev/kvm exists proves nothing:
/// only a guest whose kernel printed its messages does.
/// </summary>
internal static class AcceleratorProbe
{
    /// <summary>Probes, or gives the answer of an earlier probe with the same kernel and QEMU since the host booted.</summary>
    /// <param name="kernelPath">A Linux kernel for this kind of processor.</param>
    /// <param name="paths">Where the answer is cached.</param>
    /// <param name="cancellationToken">Ends the probe and its guest.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when no guest runs at all.</exception>
    public static async Task<AcceleratorReport> ProbeAsync(string kernelPath, HostPaths paths, CancellationToken cancellationToken)
    {
        KvmDevice device = KvmDevice.Look("/dev/kvm");
        return await new ProbeMemory(paths, QemuHypervisor.KindName).RecallAsync(
            await KeyAsync(kernelPath, device, cancellationToken), token => RunAsync(kernelPath, device, paths, token), cancellationToken);
    }

    private static async Task<AcceleratorReport> RunAsync(string kernelPath, KvmDevice device, HostPaths paths, CancellationToken cancellationToken)
    {
        string? reason = device.Reason;
        if (reason is null)
        {
            ProbeResult kvm = await ProbeGuest.RunAsync(kernelPath, Accelerator.Kvm, paths, cancellationToken);
            if (kvm.Time is { } fast)
            {
                return new AcceleratorReport(Accelerator.Kvm, null, null, new HostSpeed(fast), FromCache: false);
            }

            reason = "/dev/kvm exists, but the probe guest on it " + kvm.Failure;
        }

        ProbeResult tcg = await ProbeGuest.RunAsync(kernelPath, Accelerator.Tcg, paths, cancellationToken);
        return tcg.Time is { } slow
            ? new AcceleratorReport(Accelerator.Tcg, reason, device.Hint, new HostSpeed(slow), FromCache: false)
            : throw new VirtigoException(FailureKind.Host,
                $"No guest runs on this host: no KVM ({reason}), and the emulated probe guest with the kernel {kernelPath} {tcg.Failure}.",
                "Rerun: " + tcg.Command);
    }

    private static async Task<string> KeyAsync(string kernelPath, KvmDevice device, CancellationToken cancellationToken)
    {
        string version = await Tool.RunAsync(QemuCommandLine.Program, ["--version"], cancellationToken);
        await using FileStream kernel = File.OpenRead(kernelPath);
        string hash = Convert.ToHexStringLower(await SHA256.HashDataAsync(kernel, cancellationToken));
        return Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes($"{version}\n{hash}\n{device.Reason}")));
    }
}
