using System.Diagnostics;
using System.Globalization;
using System.Runtime.CompilerServices;
using Virtigo.Host;
using Virtigo.Hypervisors;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>This test program run again as one that owns a guest, to be killed by a test.</summary>
internal static class GuestOwner
{
    private const string Variable = "VIRTIGO_TEST_GUEST_OWNER";

    /// <summary>Starts the owner.</summary>
    /// <returns>The owner, and the process id of its guest.</returns>
    public static async Task<(Process Owner, int Guest)> StartAsync(CancellationToken cancellationToken)
    {
        DirectoryInfo folder = Directory.CreateTempSubdirectory("vt");
        var start = new ProcessStartInfo(Environment.ProcessPath!) { RedirectStandardOutput = true };
        start.Environment[Variable] = folder.FullName;
        Process owner = Process.Start(start)!;
        try
        {
            string line = await owner.StandardOutput.ReadLineAsync(cancellationToken)
                ?? throw new InvalidOperationException("The owner of the guest ended early.");
            return (owner, int.Parse(line, CultureInfo.InvariantCulture));
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

    [ModuleInitializer]
    internal static void RunIfAsked()
    {
        if (Environment.GetEnvironmentVariable(Variable) is not { } folder)
        {
            return;
        }

        // No other thread may enter this module before its initializer has ended, so everything here is done by this one.
        var hypervisor = new QemuHypervisor(new HostPaths(folder, folder, folder, folder, folder));
        var config = new GuestConfig { Name = "owned", WorkDirectory = folder, MemoryMiB = 32, Accelerator = Accelerator.Tcg };
        IGuest guest = hypervisor.StartAsync(config, CancellationToken.None).GetAwaiter().GetResult();
        Console.WriteLine(guest.ProcessId);
        guest.Exited.Wait();
        Environment.Exit(1);
    }
}
