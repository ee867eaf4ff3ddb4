using System.Text.RegularExpressions;
using Virtigo.Host;

namespace Virtigo.Hypervisors;

/// <summary>Refuses what a hypervisor cannot do, and what none can, before anything starts.</summary>
internal static partial class GuestConfigCheck
{
    private const int MaxCredentials = 64;
    private const UnixFileMode OwnerOnly = UnixFileMode.UserRead | UnixFileMode.UserWrite | UnixFileMode.UserExecute;

    /// <summary>Checks a guest's configuration and the files it names; makes its work folder when absent.</summary>
    /// <param name="hypervisor">The hypervisor's name.</param>
    /// <param name="capabilities">What its guests can do.</param>
    /// <param name="config">The guest.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Usage"/> or <see cref="FailureKind.Host"/>, naming the guest, the value and what was expected.
    /// </exception>
    public static void Check(string hypervisor, HypervisorCapabilities capabilities, GuestConfig config)
    {
        if (HypervisorFeature.All.FirstOrDefault(feature => feature.IsAskedBy(config) && !feature.IsIn(capabilities)) is { } missing)
        {
            throw missing.Refusal(hypervisor, capabilities, config.Name);
        }

        ExpectAtMost(config, config.Serials.Count, capabilities.MaxSerials, "serial ports", hypervisor);
        ExpectAtMost(config, config.Disks.Count, capabilities.MaxDisks, "disks", hypervisor);
        ExpectAtMost(config, config.Nics.Count, capabilities.MaxNics, "network cards", hypervisor);
        Expect(config, NamePattern().IsMatch(config.Name), $"its name is '{config.Name}'", "letters, digits, '-', '_' and '.', at most 63");
        Expect(config, config.Cpus is >= 1 and <= 255, $"it has {config.Cpus} processors", "1 to 255");
        Expect(config, config.MemoryMiB is >= 16 and <= 16 << 20, $"it has {config.MemoryMiB} MiB of memory", "16 to 16777216");
        Expect(config, config.TranslationCacheMiB is >= 16 and <= 2048, $"its translation cache has {config.TranslationCacheMiB} MiB", "16 to 2048");
        Expect(config, config.CpuModel is null || CpuPattern().IsMatch(config.CpuModel), $"its processor is '{config.CpuModel}'", "a model of QEMU's");
        Expect(config, config.Credentials.Count <= MaxCredentials, $"it has {config.Credentials.Count} credentials", $"at most {MaxCredentials}");
        foreach ((string name, string value) in config.Credentials)
        {
            Expect(config, CredentialPattern().IsMatch(name), $"a credential is named '{name}'", "letters, digits, '.', '_' and '-', at most 64");
            Expect(config, CredentialValuePattern().IsMatch(value), $"the credential {name} is '{value}'", "printable ASCII, at most 64");
        }

        CheckNics(hypervisor, capabilities, config);
        CheckSerials(config);
        CheckFiles(config);
        CheckSavedState(config);
        CheckFolder(config);
    }

    private static void CheckNics(string hypervisor, HypervisorCapabilities capabilities, GuestConfig config)
    {
        foreach (GuestNic nic in config.Nics)
        {
            Expect(config, nic.Mtu is >= 68 and <= 65535, $"its network packets have {nic.Mtu} bytes", "68 to 65535");
            Expect(config, nic.Mtu <= capabilities.MaxMtu, $"its network packets have {nic.Mtu} bytes", $"at most {capabilities.MaxMtu} under {hypervisor}");
            Expect(config, MacPattern().IsMatch(nic.Mac), $"its network address is '{nic.Mac}'", "six pairs of hexadecimal digits");
            UnixListener.CheckLength(nic.Socket);
        }
    }

    private static void CheckSerials(GuestConfig config)
    {
        foreach (GuestSerial serial in config.Serials)
        {
            Expect(config, SerialPattern().IsMatch(serial.Name), $"a serial port is named '{serial.Name}'", "lower-case letters, digits and '-', at most 16");
            Expect(config, serial.LogLimit >= 0, $"the log of its serial port {serial.Name} is limited to {serial.LogLimit} bytes", "0 or more");
        }

        Expect(config, config.Serials.DistinctBy(serial => serial.Name).Count() == config.Serials.Count,
            "two serial ports have one name", "different names");
    }

    private static void CheckFiles(GuestConfig config)
    {
        foreach (GuestDisk disk in config.Disks)
        {
            ExpectFile(config, "disk", disk.Path);
            Expect(config, disk.Serial is null || DiskSerialPattern().IsMatch(disk.Serial),
                $"a disk's serial number is '{disk.Serial}'", "letters, digits, '-' and '_', at most 20");
            Expect(config, !disk.IsDisc || (disk.ReadOnly && disk == config.Disks[^1]), "a disc is writable or not its last disk", "a read-only one after all others");
        }

        if (config.Kernel is { } kernel)
        {
            ExpectFile(config, "kernel", kernel.KernelPath);
            if (kernel.InitrdPath is not null)
            {
                ExpectFile(config, "initrd", kernel.InitrdPath);
            }
        }
    }

    private static void CheckSavedState(GuestConfig config)
    {
        if (config.MemoryFile is { } memory)
        {
            Expect(config, Path.IsPathRooted(memory.Path), $"its memory is '{memory.Path}'", "an absolute path");
        }

        if (config.SavedState is { } state)
        {
            ExpectFile(config, "saved state", state);
            if (config.MemoryFile is not null)
            {
                ExpectFile(config, "memory", config.MemoryFile.Path);
            }
        }
    }

    private static void CheckFolder(GuestConfig config)
    {
        string folder = config.WorkDirectory;
        Expect(config, Path.IsPathRooted(folder), $"its work folder is '{folder}'", "an absolute path");
        Directory.CreateDirectory(folder, OwnerOnly);
        if ((File.GetUnixFileMode(folder) & ~OwnerOnly) != 0)
        {
            throw new VirtigoException(FailureKind.Host, $"The folder {folder} for the sockets of guest {config.Name} is open to other users.",
                "chmod 700 " + ShellQuote.Word(folder));
        }
    }

    private static void ExpectAtMost(GuestConfig config, int count, int limit, string what, string hypervisor) =>
        Expect(config, count <= limit, $"it has {count} {what}", $"at most {limit} under {hypervisor}");

    private static void ExpectFile(GuestConfig config, string what, string path)
    {
        Expect(config, Path.IsPathRooted(path), $"its {what} is '{path}'", "an absolute path");
        if (!File.Exists(path))
        {
            throw new VirtigoException(FailureKind.Host, $"Guest {config.Name} cannot be started: its {what} {path} does not exist.");
        }
    }

    /// <summary>Refuses a guest when something is not as expected.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>, naming the guest, what was found and what was expected.</exception>
    internal static void Expect(GuestConfig config, bool fulfilled, string found, string expected)
    {
        if (!fulfilled)
        {
            throw new VirtigoException(FailureKind.Usage, $"Guest {config.Name} cannot be started: {found}; expected {expected}.");
        }
    }

    [GeneratedRegex(@"\A[A-Za-z0-9._-]{1,64}\z")]
    private static partial Regex CredentialPattern();

    [GeneratedRegex(@"\A[ -~]{0,64}\z")]
    private static partial Regex CredentialValuePattern();

    [GeneratedRegex(@"^[A-Za-z0-9._-]{1,63}\z")]
    private static partial Regex NamePattern();

    [GeneratedRegex(@"^[A-Za-z0-9._+=-]+(,[A-Za-z0-9._+=-]+)*\z")]
    private static partial Regex CpuPattern();

    [GeneratedRegex(@"^[0-9A-Fa-f]{2}(:[0-9A-Fa-f]{2}){5}\z")]
    private static partial Regex MacPattern();

    [GeneratedRegex(@"^[a-z0-9-]{1,16}\z")]
    private static partial Regex SerialPattern();

    [GeneratedRegex(@"^[A-Za-z0-9_-]{1,20}\z")]
    private static partial Regex DiskSerialPattern();
}
