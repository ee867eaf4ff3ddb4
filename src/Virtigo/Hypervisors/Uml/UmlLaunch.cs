using System.Net.Sockets;
using Virtigo.Host;

namespace Virtigo.Hypervisors.Uml;

/// <summary>A User-Mode Linux whose kernel has begun, with everything connected to it.</summary>
internal sealed record UmlLaunch(ChildProcess Child, IReadOnlyList<SerialPort> Serials, Stream? Agent, IReadOnlyList<FramePump> Nics) : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan Step = TimeSpan.FromMilliseconds(5);

    /// <summary>Starts a kernel and waits until it runs; one that is to stay paused is stopped before its first instruction.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it does not start; the hint is its command line.</exception>
    public static async Task<UmlLaunch> StartAsync(GuestConfig config, CancellationToken cancellationToken)
    {
        int lines = config.Serials.Count + (config.AgentChannel ? 1 : 0);
        var ours = new List<Socket>();
        var cards = new List<Socket>();
        var theirs = new List<Socket>();
        var networks = new List<Socket>();
        var logs = new List<SerialLog?>();
        ChildProcess? child = null;
        try
        {
            foreach (GuestNic nic in config.Nics)
            {
                networks.Add(await FramePump.ConnectAsync(nic.Socket, cancellationToken));
            }

            for (int line = 0; line < lines; line++)
            {
                (Socket own, Socket given) = LocalSockets.StreamPair();
                ours.Add(own);
                theirs.Add(given);
            }

            logs.AddRange(config.Serials.Select(SerialLog.Open));
            RemoveFiles(config);
            foreach ((string link, string target) in UmlCommandLine.Links(config))
            {
                File.CreateSymbolicLink(link, target);
            }

            cards.AddRange(config.Nics.Select((_, nic) => FramePump.Listen(UmlCommandLine.NicSocket(config, nic))));
            int[] descriptors = [.. theirs.Select(socket => (int)socket.Handle)];
            child = await ChildProcess.StartAsync(new ChildCommand(UmlCommandLine.KernelLink(config),
                UmlCommandLine.Build(config, descriptors))
            {
                WorkingDirectory = config.WorkDirectory,
                Environment = MemoryPlace(),
                Inherited = [.. theirs.Select(socket => socket.SafeHandle)],
                LeavesProcesses = true,
                StartStopped = config.StartPaused,
            }, cancellationToken);
            theirs.ForEach(socket => socket.Dispose());
            if (!config.StartPaused)
            {
                await AwaitKernelAsync(config, child, cancellationToken);
            }

            return new UmlLaunch(child,
                [.. config.Serials.Select((serial, i) => new SerialPort(serial.Name, new NetworkStream(ours[i], ownsSocket: true), logs[i]))],
                config.AgentChannel ? new NetworkStream(ours[^1], ownsSocket: true) : null,
                [.. cards.Select((card, i) => FramePump.For(networks[i], card))]);
        }
        catch
        {
            foreach (Socket socket in (IEnumerable<Socket>)[.. ours, .. cards, .. theirs, .. networks])
            {
                socket.Dispose();
            }

            foreach (SerialLog? log in logs)
            {
                await (log?.DisposeAsync() ?? ValueTask.CompletedTask);
            }

            if (child is not null)
            {
                await child.DisposeAsync();
            }

            RemoveFiles(config);
            throw;
        }
    }

    /// <summary>Waits until the kernel runs. From then on a reboot finds no kernel to run again, unless it is wanted.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it ends or does not get there.</exception>
    public static async Task AwaitKernelAsync(GuestConfig config, ChildProcess child, CancellationToken cancellationToken)
    {
        long start = TimeProvider.System.GetTimestamp();
        while (!File.Exists(UmlCommandLine.PidFile(config)))
        {
            if (child.Exited.IsCompleted)
            {
                throw Failure(child, $"it ended with exit code {await child.Exited}");
            }

            if (TimeProvider.System.GetElapsedTime(start) > StartLimit)
            {
                throw Failure(child, $"its kernel did not begin within {StartLimit.TotalSeconds} s");
            }

            await Task.Delay(Step, TimeProvider.System, cancellationToken);
        }

        if (!config.RestartOnReset)
        {
            File.Delete(UmlCommandLine.KernelLink(config));
        }
    }

    /// <summary>Removes what the kernel and we have made in the work folder.</summary>
    public static void RemoveFiles(GuestConfig config)
    {
        if (Directory.Exists(UmlCommandLine.Folder(config)))
        {
            Directory.Delete(UmlCommandLine.Folder(config), recursive: true);
        }

        foreach (string file in UmlCommandLine.Links(config).Select(link => link.Link).Concat(config.Nics.Select((_, nic) => UmlCommandLine.NicSocket(config, nic))))
        {
            File.Delete(file);
        }
    }

    /// <summary>Ends the kernel and everything connected to it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Child.DisposeAsync();
        foreach (SerialPort port in Serials)
        {
            await port.DisposeAsync();
        }

        await (Agent?.DisposeAsync() ?? ValueTask.CompletedTask);
        foreach (FramePump nic in Nics)
        {
            await nic.DisposeAsync();
        }
    }

    // Its memory is a file without a name; on a disk it would be written there.
    private static Dictionary<string, string> MemoryPlace() =>
        Directory.Exists("/dev/shm") ? new(StringComparer.Ordinal) { ["TMPDIR"] = "/dev/shm" } : [];

    private static VirtigoException Failure(ChildProcess child, string why)
    {
        string said = child.ErrorTail.Trim();
        return new VirtigoException(FailureKind.Host, $"User-Mode Linux does not start: {why}.{(said.Length > 0 ? " It said: " + said : "")}", "Rerun: " + child.Command);
    }
}
