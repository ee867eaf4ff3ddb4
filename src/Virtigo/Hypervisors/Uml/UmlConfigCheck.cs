using System.Text;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Uml;

/// <summary>Refuses what only User-Mode Linux cannot do.</summary>
internal static class UmlConfigCheck
{
    private static readonly byte[] s_elf = [0x7F, (byte)'E', (byte)'L', (byte)'F'];

    /// <summary>Checks a guest that the check common to all has passed.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Usage"/>, naming the guest, the value and what was expected.</exception>
    public static void Check(GuestConfig config)
    {
        GuestConfigCheck.Expect(config, config.Accelerator is Accelerator.Auto or Accelerator.Ptrace, $"its accelerator is {config.Accelerator}", "auto or ptrace");
        GuestConfigCheck.Expect(config, config.Cpus == 1, $"it has {config.Cpus} processors", "1 under uml");
        GuestConfigCheck.Expect(config, config.CpuModel is null, $"its processor is '{config.CpuModel}'", "none under uml: it is the host's");
        GuestConfigCheck.Expect(config, config.Disks.All(disk => disk.Serial is null), "a disk has a serial number", "none under uml");
        string line = config.Kernel!.CommandLine;
        GuestConfigCheck.Expect(config, Encoding.UTF8.GetByteCount(line) <= UmlCommandLine.LongestArguments && !line.Any(char.IsControl),
            $"its kernel's command line has {Encoding.UTF8.GetByteCount(line)} bytes or more than one line",
            $"one line of at most {UmlCommandLine.LongestArguments}");
        foreach (GuestDisk disk in config.Disks)
        {
            GuestConfigCheck.Expect(config, !IsLayer(disk.Path), $"its disk {disk.Path} begins as a layer of User-Mode Linux over another file", "a disk's bytes");
        }

        if (!IsKernel(config.Kernel.KernelPath))
        {
            throw new VirtigoException(FailureKind.Usage,
                $"Guest {config.Name} cannot be run by uml: {config.Kernel.KernelPath} is not a kernel for User-Mode Linux, which is a program of its own.",
                $"Boot {HostTools.Find(UmlCommandLine.Program) ?? "/usr/bin/" + UmlCommandLine.Program} (package user-mode-linux), or run the guest by qemu.");
        }
    }

    /// <summary>Whether a file is a kernel built for User-Mode Linux: a program that knows the option of no other.</summary>
    internal static bool IsKernel(string path)
    {
        const int most = 256 << 20;
        using FileStream file = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        if (file.Length > most || file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) < magic.Length || !magic.SequenceEqual(s_elf))
        {
            return false;
        }

        ReadOnlySpan<byte> option = "uml_dir="u8;
        byte[] buffer = new byte[1 << 20];
        int kept = 0;
        for (int read; (read = file.Read(buffer, kept, buffer.Length - kept)) > 0;)
        {
            ReadOnlySpan<byte> bytes = buffer.AsSpan(0, kept + read);
            if (bytes.IndexOf(option) >= 0)
            {
                return true;
            }

            kept = Math.Min(option.Length - 1, bytes.Length);
            bytes[^kept..].CopyTo(buffer);
        }

        return false;
    }

    // Even when told that the file is the disk, the kernel looks into such a beginning for the size, of a file of the host's that the guest chose.
    private static bool IsLayer(string path)
    {
        using FileStream file = File.OpenRead(path);
        Span<byte> magic = stackalloc byte[4];
        return file.ReadAtLeast(magic, magic.Length, throwOnEndOfStream: false) == magic.Length
            && (magic.SequenceEqual("OOOM"u8) || magic.SequenceEqual("MOOO"u8));
    }
}
