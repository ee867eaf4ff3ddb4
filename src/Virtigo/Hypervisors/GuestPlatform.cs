using System.Security.Cryptography;
using System.Text;

namespace Virtigo.Hypervisors;

/// <summary>What a guest's saved state depends on beside the guest's own configuration.</summary>
internal static class GuestPlatform
{
    /// <summary>
    /// The hypervisor's version and the accelerator. Under KVM also the host's processor, which shows through: a state saved on one does not go
    /// on on another.
    /// </summary>
    public static async Task<string> OfAsync(IHypervisor hypervisor, Accelerator accelerator, CancellationToken cancellationToken)
    {
        string version = await hypervisor.VersionAsync(cancellationToken);
        if (accelerator != Accelerator.Kvm)
        {
            return $"{version} {accelerator}";
        }

        string[] processor = [.. File.ReadLines("/proc/cpuinfo").TakeWhile(line => line.Length > 0)
            .Where(line => line.StartsWith("model name", StringComparison.Ordinal) || line.StartsWith("flags", StringComparison.Ordinal))];
        return $"{version} {accelerator} {Convert.ToHexStringLower(SHA256.HashData(Encoding.UTF8.GetBytes(string.Join('\n', processor))))}";
    }
}
