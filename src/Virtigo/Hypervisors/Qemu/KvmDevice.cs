using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>What can be said about KVM without running a guest.</summary>
/// <param name="Reason">Why it cannot be used; null when a guest may be tried on it.</param>
/// <param name="Hint">What to do about it, or null.</param>
internal sealed record KvmDevice(string? Reason, string? Hint)
{
    /// <summary>Looks whether the device exists and may be used.</summary>
    public static KvmDevice Look(string path)
    {
        try
        {
            File.OpenHandle(path, FileMode.Open, FileAccess.ReadWrite, FileShare.ReadWrite).Dispose();
            return new KvmDevice(null, null);
        }
        catch (UnauthorizedAccessException)
        {
            return new KvmDevice($"this user may not open {path}", $"sudo adduser {ShellQuote.Word(Environment.UserName)} kvm, then log in again");
        }
        catch (Exception error) when (error is FileNotFoundException or DirectoryNotFoundException)
        {
            return new KvmDevice($"{path} does not exist", "Enable virtualisation (VT-x, AMD-V) in the firmware, or nested virtualisation in the host's hypervisor.");
        }
        catch (IOException error)
        {
            return new KvmDevice($"{path} cannot be opened: {error.Message}", null);
        }
    }
}
