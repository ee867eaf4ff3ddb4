using System.Globalization;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.GuestTests.BootLoaders;

/// <summary>A PC with one disk and nothing else, which its firmware starts; what is written to the disk is thrown away.</summary>
internal static class BareMachine
{
    /// <summary>Switches it on, and gives what its serial port said until it switched itself off.</summary>
    /// <exception cref="TimeoutException">It did not switch itself off.</exception>
    /// <param name="disk">The disk's file: qcow2 when it is called so, else raw.</param>
    /// <param name="firmware">What starts it.</param>
    /// <param name="limit">How long it may take.</param>
    /// <param name="cancellationToken">Kills it.</param>
    /// <param name="sectorBytes">The size of the disk's sectors.</param>
    /// <param name="memoryMiB">Its memory.</param>
    public static async Task<string> RunAsync(
        string disk, FirmwareKind firmware, TimeSpan limit, CancellationToken cancellationToken, int sectorBytes = 512, int memoryMiB = 256)
    {
        string log = disk + "." + firmware + ".log";
        string format = disk.EndsWith(".qcow2", StringComparison.Ordinal) ? "qcow2" : "raw";
        var arguments = new List<string>
        {
            "-nodefaults", "-display", "none", "-no-reboot", "-machine", "pc", "-accel", "tcg,tb-size=256", "-cpu", "qemu64,+ssse3,+sse4.1,+sse4.2,+popcnt",
            "-m", memoryMiB.ToString(CultureInfo.InvariantCulture),
            "-drive", $"if=none,id=disk,file={disk},format={format},snapshot=on",
            "-device", string.Create(CultureInfo.InvariantCulture,
                $"virtio-blk-pci,drive=disk,bootindex=1,logical_block_size={sectorBytes},physical_block_size={sectorBytes}"),
            "-serial", "file:" + log,
        };
        if (firmware == FirmwareKind.Uefi)
        {
            UefiFirmware found = UefiFirmware.Require();
            arguments.AddRange(["-drive", $"if=pflash,unit=0,format=raw,readonly=on,file={found.Code}", "-drive", $"if=pflash,unit=1,format=raw,snapshot=on,file={found.Variables}"]);
        }

        using var time = new CancellationTokenSource(limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(cancellationToken, time.Token);
        try
        {
            await Tool.RunAsync("qemu-system-x86_64", arguments, either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw new TimeoutException($"It did not boot by {firmware}. It said: {await File.ReadAllTextAsync(log, cancellationToken)}");
        }

        return await File.ReadAllTextAsync(log, cancellationToken);
    }
}
