using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;
using Virtigo.Images;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>This test program run again as one that owns a guest, to be killed by a test.</summary>
internal static class GuestOwner
{
    private const string Variable = "VIRTIGO_TEST_GUEST_OWNER";

    /// <summary>Starts the owner.</summary>
    /// <returns>The owner, the process id of its guest, and the one of the program that keeps the guest's disk.</returns>
    public static async Task<(Process Owner, int Guest, int Keeper)> StartAsync(CancellationToken cancellationToken)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vt");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[Variable] = folder.FullName;
        Process owner = Process.Start(start)!;
        try
        {
            string line = await owner.StandardOutput.ReadLineAsync(cancellationToken)
                ?? throw new InvalidOperationException("The owner of the guest ended early.");
            return (owner, int.Parse(line, CultureInfo.InvariantCulture), KeeperOf(folder.FullName));
        }
        catch
        {
            owner.Kill();
            throw;
        }
        finally
        {
            folder.Delete(recursive: true);
        }
    }

    private static int KeeperOf(string folder)
    {
        foreach (string process in Directory.EnumerateDirectories("/proc"))
        {
            try
            {
                if (int.TryParse(Path.GetFileName(process), CultureInfo.InvariantCulture, out int id)
                    && File.ReadAllText(process + "/cmdline").StartsWith($"{HostTools.Require("qemu-nbd")}\0--socket={folder}/", StringComparison.Ordinal))
                {
                    return id;
                }
            }
            catch (IOException)
            {
                // It has ended.
            }
        }

        throw new InvalidOperationException("Nobody keeps the disk.");
    }

    [ModuleInitializer]
    internal static void RunIfAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } folder)
        {
            return;
        }

        // No other thread may enter this module before its initializer has ended, so everything here is done by this one.
        var hypervisor = new QemuHypervisor(new HostPaths(folder, folder, folder, folder, folder));
        string disk = Path.Combine(folder, "disk.qcow2");
        QemuImage.CreateAsync(disk, 1 << 20, CancellationToken.None).GetAwaiter().GetResult();
        var config = new GuestConfig
        {
            Name = "owned",
            WorkDirectory = folder,
            MemoryMiB = 32,
            Accelerator = Accelerator.Tcg,
            Disks = [new GuestDisk(disk, Virtigo.Hypervisors.DiskFormat.Qcow2)],
        };
        IGuest guest = hypervisor.StartAsync(config, CancellationToken.None).GetAwaiter().GetResult();
        guest.SetDiskFaultAsync(0, new DiskFault(DiskFaultKind.LostWrites), CancellationToken.None).GetAwaiter().GetResult();
        Console.WriteLine(guest.ProcessId);
        guest.Exited.Wait();
        Environment.Exit(1);
    }
}
