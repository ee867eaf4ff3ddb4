using Virtigo.Host;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>A QEMU process that has connected to all our sockets; its guest is still paused.</summary>
internal sealed record QemuLaunch(ChildProcess Child, QmpClient Qmp, IReadOnlyList<SerialPort> Serials, Stream? Agent, Stream? Channel)
    : IAsyncDisposable
{
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(60);

    /// <summary>Starts QEMU and awaits its connections.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when QEMU does not start; the hint is its command line.</exception>
    public static async Task<QemuLaunch> StartAsync(GuestConfig config, Accelerator accelerator, CancellationToken cancellationToken)
    {
        string[] sockets =
        [
            QemuCommandLine.QmpSocket(config),
            .. QemuCommandLine.DeviceSockets(config),
        ];
        var listeners = new List<UnixListener>();
        var logs = new List<SerialLog?>();
        ChildProcess? child = null;
        var connections = new List<Stream>();
        try
        {
            listeners.AddRange(sockets.Select(path => new UnixListener(path)));
            logs.AddRange(config.Serials.Select(SerialLog.Open));
            UefiFirmware? firmware = config.Firmware == FirmwareKind.Uefi ? UefiFirmware.Require() : null;
            if (firmware is not null)
            {
                File.Copy(firmware.Variables, QemuCommandLine.Variables(config), overwrite: true);
                File.SetUnixFileMode(QemuCommandLine.Variables(config), UnixFileMode.UserRead | UnixFileMode.UserWrite);
            }

            child = await ChildProcess.StartAsync(
                new ChildCommand(QemuCommandLine.Program, QemuCommandLine.Build(config, accelerator, firmware)), cancellationToken);
            await ConnectAsync(child, listeners, connections, cancellationToken);
            List<SerialPort> serials = [.. config.Serials.Select((serial, i) => new SerialPort(serial.Name, connections[i + 1], logs[i]))];
            int channels = config.Serials.Count + 1;
            return new QemuLaunch(child, new QmpClient(connections[0]), serials, config.AgentChannel ? connections[channels] : null,
                config.StreamChannel ? connections[^1] : null);
        }
        catch
        {
            connections.ForEach(connection => connection.Dispose());
            foreach (SerialLog? log in logs)
            {
                await (log?.DisposeAsync() ?? ValueTask.CompletedTask);
            }

            if (child is not null)
            {
                await child.DisposeAsync();
            }

            throw;
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
        }
    }

    /// <summary>The error for a QEMU that did not start.</summary>
    public static VirtigoException Failure(ChildProcess child, string why)
    {
        string said = child.ErrorTail.Trim();
        return new VirtigoException(FailureKind.Host, $"QEMU does not start: {(said.Length > 0 ? said : why)}", "Rerun: " + child.Command);
    }

    /// <summary>Ends QEMU and everything connected to it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Child.DisposeAsync();
        await Qmp.DisposeAsync();
        foreach (SerialPort port in Serials)
        {
            await port.DisposeAsync();
        }

        foreach (Stream? channel in (Stream?[])[Agent, Channel])
        {
            await (channel?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    private static async Task ConnectAsync(
        ChildProcess child, List<UnixListener> listeners, List<Stream> connections, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectLimit);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        foreach (UnixListener listener in listeners)
        {
            Task<Stream> accepting = listener.AcceptAsync(either.Token);
            if (await Task.WhenAny(accepting, child.Exited) != accepting && !accepting.IsCompleted)
            {
                await either.CancelAsync();
                await accepting.ContinueWith(_ => { }, CancellationToken.None, TaskContinuationOptions.None, TaskScheduler.Default);
                throw Failure(child, $"it ended with exit code {await child.Exited}");
            }

            try
            {
                connections.Add(await accepting);
            }
            catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
            {
                throw Failure(child, $"it did not connect to {listener.Path} within {ConnectLimit.TotalSeconds} s");
            }
        }
    }
}
