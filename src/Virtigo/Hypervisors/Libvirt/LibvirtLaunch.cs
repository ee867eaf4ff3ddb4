using System.Net.Sockets;
using System.Runtime.InteropServices;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Libvirt;

/// <summary>A domain that was made and is paused, with everything connected to it and somebody listening.</summary>
/// <param name="Identity">The domain.</param>
/// <param name="Owner">The client whose end is the domain's too.</param>
/// <param name="Monitor">The client that tells what QEMU says.</param>
/// <param name="Exits">What both have told.</param>
/// <param name="Life">The connection that ends with QEMU; null where it runs on another host.</param>
/// <param name="ProcessId">QEMU's process; the owner's where that is on another host.</param>
/// <param name="Serials">The serial ports.</param>
/// <param name="Agent">The agent's channel, or null.</param>
/// <param name="Channel">The one for streams, or null.</param>
internal sealed partial record LibvirtLaunch(
    LibvirtIdentity Identity, LibvirtListener Owner, LibvirtListener Monitor, LibvirtExitWatch Exits, Stream? Life, int ProcessId,
    IReadOnlyList<SerialPort> Serials, Stream? Agent, Stream? Channel) : IAsyncDisposable
{
    private const int SocketLevel = 1;
    private const int PeerCredentials = 17;
    private static readonly TimeSpan CreateLimit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan ConnectLimit = TimeSpan.FromSeconds(30);

    /// <summary>Makes the domain.</summary>
    /// <param name="client">Gives the commands.</param>
    /// <param name="config">The guest, already checked.</param>
    /// <param name="accelerator">KVM or TCG.</param>
    /// <param name="mustEnd">Called when the guest waits for a disk of the host's that will not get better.</param>
    /// <param name="cancellationToken">Ends the start; nothing of the domain stays.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be made, with the reason that libvirt gives.</exception>
    public static async Task<LibvirtLaunch> StartAsync(
        LibvirtClient client, GuestConfig config, Accelerator accelerator, Action mustEnd, CancellationToken cancellationToken)
    {
        var identity = LibvirtIdentity.For(config.Name);
        string? emulator = client.Uri.IsLocal ? HostTools.Require(QemuCommandLine.Program) : null;
        LibvirtOwner? owner = client.Uri.Kind == LibvirtKind.System ? new LibvirtOwner(EffectiveUser(), EffectiveGroup()) : null;
        byte[] definition = LibvirtDomain.Write(LibvirtDomain.Build(config, identity, accelerator, emulator, owner));
        var listeners = new List<UnixListener>();
        var logs = new List<SerialLog?>();
        var connections = new List<Stream>();
        var clients = new List<LibvirtListener>();
        var exits = new LibvirtExitWatch();
        var created = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        var listening = new TaskCompletionSource(TaskCreationOptions.RunContinuationsAsynchronously);
        try
        {
            listeners.AddRange(client.Uri.IsLocal ? LibvirtDomain.Sockets(config).Select(path => new UnixListener(path)) : []);
            logs.AddRange(config.Serials.Select(SerialLog.Open));
            clients.Add(await LibvirtListener.StartAsync(
                client.Command($"create --file /dev/stdin --paused --autodestroy; event --domain {identity.Id} --all --loop"), definition, Hear(created), cancellationToken));
            await ExpectAsync(client, config, clients[0], created.Task, cancellationToken);

            // One line before it begins to listen: the connection is made by then, and what follows it is one call.
            clients.Add(await LibvirtListener.StartAsync(
                client.Command($"domstate {identity.Id}; qemu-monitor-event --domain {identity.Id} --loop"), ReadOnlyMemory<byte>.Empty, Hear(listening), cancellationToken));
            await ExpectAsync(client, config, clients[1], listening.Task, cancellationToken);
            foreach (UnixListener listener in listeners)
            {
                connections.Add(await ConnectAsync(listener, cancellationToken));
            }

            int process = connections.Count > 0 ? PeerOf(connections[0]) : clients[0].Id;
            return new LibvirtLaunch(identity, clients[0], clients[1], exits, connections.FirstOrDefault(), process,
                [.. config.Serials.Select((serial, i) => new SerialPort(serial.Name, connections[i + 1], logs[i]))],
                config.AgentChannel ? connections[config.Serials.Count + 1] : null,
                config.StreamChannel ? connections[^1] : null);
        }
        catch
        {
            foreach (LibvirtListener each in clients)
            {
                await each.DisposeAsync();
            }

            connections.ForEach(connection => connection.Dispose());
            foreach (SerialLog? log in logs)
            {
                await (log?.DisposeAsync() ?? ValueTask.CompletedTask);
            }

            RemoveFiles(client, config, identity);
            throw;
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
        }

        Action<string> Hear(TaskCompletionSource first) => line =>
        {
            if (line.Length > 0)
            {
                first.TrySetResult();
            }

            if (LibvirtEvent.Parse(line, identity.Name) is { } value && exits.See(value))
            {
                mustEnd();
            }
        };
    }

    /// <summary>Removes what libvirt leaves of a domain that has ended: its log, and the UEFI variables in the work folder.</summary>
    /// <returns>What QEMU had said in the log.</returns>
    public static string RemoveFiles(LibvirtClient client, GuestConfig config, LibvirtIdentity identity)
    {
        File.Delete(QemuCommandLine.Variables(config));
        return client.Uri.Kind == LibvirtKind.Session ? LibvirtLog.Take(LibvirtLog.Folder(Environment.GetEnvironmentVariable), identity.Name) : "";
    }

    /// <summary>Ends the domain and everything connected to it.</summary>
    public async ValueTask DisposeAsync()
    {
        await Owner.DisposeAsync();
        await Monitor.DisposeAsync();
        foreach (SerialPort port in Serials)
        {
            await port.DisposeAsync();
        }

        foreach (Stream? stream in (Stream?[])[Agent, Channel, Life])
        {
            await (stream?.DisposeAsync() ?? ValueTask.CompletedTask);
        }
    }

    private static async Task ExpectAsync(
        LibvirtClient client, GuestConfig config, LibvirtListener listener, Task first, CancellationToken cancellationToken)
    {
        try
        {
            await Task.WhenAny(first, listener.Ended).WaitAsync(CreateLimit, cancellationToken);
        }
        catch (TimeoutException)
        {
            throw Failure(client, config, $"libvirt did not answer within {CreateLimit.TotalSeconds} s", listener);
        }

        if (!first.IsCompleted)
        {
            throw Failure(client, config, LibvirtClient.Reason(listener.Said), listener);
        }
    }

    private static async Task<Stream> ConnectAsync(UnixListener listener, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(ConnectLimit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            return await listener.AcceptAsync(either.Token);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw new VirtigoException(FailureKind.Host, $"QEMU did not connect to {listener.Path} within {ConnectLimit.TotalSeconds} s.", inner: error);
        }
    }

    private static VirtigoException Failure(LibvirtClient client, GuestConfig config, string why, LibvirtListener listener) =>
        new(FailureKind.Host, $"libvirt at {client.Uri.Text} does not start guest {config.Name}: {why}.", LibvirtTrouble.Mend(client.Uri, listener.Said));

    private static int PeerOf(Stream connection)
    {
        Span<byte> credentials = stackalloc byte[12];
        ((NetworkStream)connection).Socket.GetRawSocketOption(SocketLevel, PeerCredentials, credentials);
        return MemoryMarshal.Read<int>(credentials);
    }

    // Safe: no arguments, and they cannot fail.
    [LibraryImport("libc", EntryPoint = "geteuid")]
    private static partial uint EffectiveUser();

    [LibraryImport("libc", EntryPoint = "getegid")]
    private static partial uint EffectiveGroup();
}
