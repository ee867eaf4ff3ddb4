using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Hypervisors;

/// <summary>What a guest's saved state depends on beside the guest's own configuration.</summary>
internal static class GuestPlatform
{
    /// <summary>
    /// The processor of emulated guests, as QEMU names it: what Debian and programs built for x86-64-v2 use, and nothing else. Protections such as SMAP
    /// and protection keys cost an emulated guest a seventh of its time, a fifth level of page tables is walked for nothing, and with all of it QEMU 7.2
    /// had one in some sixty boots crash, in the kernel or in the first process.
    /// </summary>
    public const string EmulatedProcessor = "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt,+aes,+pclmulqdq,+rdrand,+rdseed";

    /// <summary>
    /// The hypervisor's version, the accelerator, and the emulated processor. Under KVM also the host's processor, which shows through: a state saved on one does not go
    /// on on another.
    /// </summary>
    public static async Task<string> OfAsync(IHypervisor hypervisor, Accelerator accelerator, CancellationToken cancellationToken)
    {
        string version = await hypervisor.VersionAsync(cancellationToken);
        if (accelerator != Accelerator.Kvm)
        {
            return $"{version} {accelerator} {EmulatedProcessor}";
        }

        string[] processor = [.. File.ReadLines("/proc/cpuinfo").TakeWhile(line => line.Length > 0)
            .Where(line => line.StartsWith("model name", StringComparison.Ordinal) || line.StartsWith("flags", StringComparison.Ordinal))];
        return $"{version} {accelerator} {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', processor))))}";
    }
}
