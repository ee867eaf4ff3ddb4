using System.Net.Sockets;
using System.Text;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu;

namespace Virtigo.Hypervisors.Xen;

/// <summary>A domain with everything connected to it, from its making to its destruction; a guest that is reset goes on in another.</summary>
internal sealed class XenDomain : IAsyncDisposable
{
    private static readonly TimeSpan StartLimit = TimeSpan.FromSeconds(120);
    private static readonly TimeSpan LastWords = TimeSpan.FromMilliseconds(200);
    private static readonly TimeSpan LastWordsLimit = TimeSpan.FromSeconds(5);
    private readonly GuestConfig _config;
    private readonly string _name;
    private readonly ChildProcess _child;
    private readonly ByteTail _said = new(ChildProcess.TailLimit);
    private readonly TaskCompletionSource<int> _made = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly List<FramePump> _nics = [];
    private readonly List<GuestBridge> _bridges = [];
    private readonly Task _reading;
    private GuestBridge? _console;
    private bool _destroyed;

    private XenDomain(GuestConfig config, string name, ChildProcess child)
    {
        (_config, _name, _child) = (config, name, child);
        _reading = ReadAsync();
        Ended = WatchAsync();
    }

    /// <summary>The xl that watches it.</summary>
    public ChildProcess Child => _child;

    /// <summary>Its number.</summary>
    public int Number => _made.Task.Result;

    /// <summary>Why it stopped, by its own account; null when it did not.</summary>
    public DomainEnd? End { get; private set; }

    /// <summary>The last of what xl said of it.</summary>
    public string Said
    {
        get
        {
            lock (_said)
            {
                return _said.ToString();
            }
        }
    }

    /// <summary>Completes, never faults, when it has stopped or nobody watches it any more; it may still be there.</summary>
    public Task<int> Ended { get; }

    /// <summary>Makes a domain that does not run yet.</summary>
    /// <param name="config">The guest.</param>
    /// <param name="kind">How it is virtualised.</param>
    /// <param name="name">The domain's name.</param>
    /// <param name="lines">What its serial ports and channels are carried to; not disposed.</param>
    /// <param name="cancellationToken">Ends the making, and the domain.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be made; the hint is xl's command line.</exception>
    public static async Task<XenDomain> MakeAsync(GuestConfig config, XenDomainKind kind, string name, GuestLines lines, CancellationToken cancellationToken)
    {
        RemoveFiles(config);
        XenDomain? domain = null;
        var listeners = new List<UnixListener>();
        try
        {
            foreach ((string link, string target) in XlConfig.Links(config))
            {
                File.CreateSymbolicLink(link, target);
            }

            listeners.AddRange(kind == XenDomainKind.Hvm ? QemuCommandLine.DeviceSockets(config).Select(path => new UnixListener(path)) : []);

            // The command line of a kernel may hold a secret: it is in a file of ours, not in the list of processes.
            await WriteConfigAsync(config, XlConfig.Build(config, kind, name), cancellationToken);
            domain = new XenDomain(config, name, await ChildProcess.StartAsync(
                new ChildCommand("sh", ["-c", "exec \"$@\" 2>&1", "sh", Xl.Program, "create", "-F", "-p", XlConfig.File(config)]) { PipeOutput = true }, cancellationToken));
            await domain.WithinLimitAsync(kind == XenDomainKind.Hvm
                ? token => domain.ConnectMachineAsync(listeners, lines, token)
                : token => domain.ConnectAsync(lines, token), cancellationToken);
            return domain;
        }
        catch
        {
            if (domain is not null)
            {
                await domain.DisposeAsync();
            }

            throw;
        }
        finally
        {
            listeners.ForEach(listener => listener.Dispose());
            RemoveFiles(config);
        }
    }

    /// <summary>Waits until a domain that has stopped has nothing more to say.</summary>
    public async Task HearOutAsync()
    {
        long start = TimeProvider.System.GetTimestamp();
        while (End is not null && _console is { Ended.IsCompleted: false } console && console.Quiet is var quiet && quiet < LastWords
            && TimeProvider.System.GetElapsedTime(start) < LastWordsLimit)
        {
            await Task.Delay(LastWords - quiet, TimeProvider.System);
        }
    }

    /// <summary>Destroys the domain: the end of everything connected to it.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when xl cannot.</exception>
    public async Task DestroyAsync()
    {
        if (!_destroyed)
        {
            await Xl.DestroyAsync(_name, CancellationToken.None);
            _destroyed = true;
        }

        await Ended;
    }

    /// <summary>Ends the domain and everything connected to it.</summary>
    public async ValueTask DisposeAsync()
    {
        try
        {
            // Nobody may go on making what is to go.
            if (!_made.Task.IsCompletedSuccessfully)
            {
                _child.Kill();
                await _child.Exited;
            }

            await DestroyAsync();
        }
        finally
        {
            await _child.DisposeAsync();
            await _reading;
            foreach (IAsyncDisposable connection in (IEnumerable<IAsyncDisposable>)[.. _bridges, .. _nics])
            {
                await connection.DisposeAsync();
            }
        }
    }

    private async Task WithinLimitAsync(Func<CancellationToken, Task> connect, CancellationToken cancellationToken)
    {
        using var limit = new CancellationTokenSource(StartLimit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            await connect(either.Token);
        }
        catch (OperationCanceledException) when (!cancellationToken.IsCancellationRequested)
        {
            throw Failure($"it was not made within {StartLimit.TotalSeconds} s");
        }
    }

    /// <summary>Connects Xen's own devices, of a PV or PVH guest.</summary>
    private async Task ConnectAsync(GuestLines lines, CancellationToken cancellationToken)
    {
        int domain = await _made.Task.WaitAsync(cancellationToken);
        await using XenStore store = await XenStore.ConnectAsync(XenStore.DefaultSocket, cancellationToken);
        string terminal = await store.AwaitAsync($"/local/domain/{Xl.Number(domain)}/console/tty", cancellationToken);
        if (lines.Serials is [var console, ..])
        {
            _console = new GuestBridge(GuestBridge.OpenTerminal(Terminal(terminal)), console.Theirs);
            _bridges.Add(_console);
        }

        foreach ((int disk, _) in _config.Disks.Index().Where(disk => disk.Item.ReadOnly))
        {
            // Linux leaves a disc of a guest that is not PV to the drivers of emulated devices, and PVH guests have none.
            await store.WriteAsync($"/local/domain/{Xl.Number(domain)}/device/vbd/{Xl.Number(XlConfig.DiskDevice(disk))}/device-type", "disk", cancellationToken);
        }

        for (int nic = 0; nic < _config.Nics.Count; nic++)
        {
            Socket network = await FramePump.ConnectAsync(_config.Nics[nic].Socket, cancellationToken);
            try
            {
                _nics.Add(new FramePump(network, await VifCard.PlugAsync(store, domain, nic, _config.Nics[nic].Mtu, cancellationToken), VifHeader.Instance));
            }
            catch
            {
                network.Dispose();
                throw;
            }
        }

        foreach (((_, string socket), GuestLines.Line line) in XlConfig.Channels(_config).Zip(lines.All.Skip(lines.Serials.Count > 0 ? 1 : 0)))
        {
            _bridges.Add(GuestBridge.Over(await FramePump.ConnectAsync(socket, cancellationToken), line.Theirs));
        }
    }

    /// <summary>Takes the connections of an HVM guest's QEMU, which are all that it has.</summary>
    private async Task ConnectMachineAsync(List<UnixListener> listeners, GuestLines lines, CancellationToken cancellationToken)
    {
        await _made.Task.WaitAsync(cancellationToken);
        foreach ((UnixListener listener, GuestLines.Line line) in listeners.Zip(lines.All))
        {
            _bridges.Add(GuestBridge.Over(await listener.AcceptSocketAsync(cancellationToken), line.Theirs));
        }

        _console = lines.Serials.Count > 0 ? _bridges[0] : null;
    }

    /// <summary>A console's terminal is one of the host's, whatever XenStore says.</summary>
    internal static string Terminal(string path) => path.StartsWith("/dev/pts/", StringComparison.Ordinal) && uint.TryParse(path.AsSpan(9), out _)
        ? path
        : throw new VirtigoException(FailureKind.Host, $"XenStore names '{path}' as the guest's console; expected a terminal below /dev/pts.");

    private static async Task WriteConfigAsync(GuestConfig config, string text, CancellationToken cancellationToken)
    {
        await using var file = new FileStream(XlConfig.File(config), new FileStreamOptions
        {
            Mode = FileMode.CreateNew,
            Access = FileAccess.Write,
            UnixCreateMode = UnixFileMode.UserRead | UnixFileMode.UserWrite,
        });
        await file.WriteAsync(Encoding.UTF8.GetBytes(text), cancellationToken);
    }

    private static void RemoveFiles(GuestConfig config)
    {
        foreach (string path in XlConfig.Links(config).Select(pair => pair.Link).Append(XlConfig.File(config)).Concat(XlConfig.Channels(config).Select(channel => channel.Socket)))
        {
            File.Delete(path);
        }
    }

    private async Task ReadAsync()
    {
        var lines = new BoundedLineReader(_child.Output, XlEvent.LongestLine);
        try
        {
            while (await LineAsync(lines) is { } line)
            {
                lock (_said)
                {
                    _said.Append(line.Span);
                    _said.Append("\n"u8);
                }

                if (XlEvent.Parse(Encoding.UTF8.GetString(line.Span)) is { } told)
                {
                    End = told.End ?? End;
                    _destroyed |= told.Gone;
                    _made.TrySetResult(told.Domain);
                }
            }
        }
        catch (IOException)
        {
            // xl is gone: what it said is all there is.
        }

        int code = await _child.Exited;
        _made.TrySetException(Failure($"xl ended with exit code {code}"));
        _ = _made.Task.Exception;
    }

    private static async Task<ReadOnlyMemory<byte>?> LineAsync(BoundedLineReader lines)
    {
        while (true)
        {
            try
            {
                return await lines.ReadAsync(CancellationToken.None);
            }
            catch (InvalidDataException)
            {
                // No line that tells something is as long.
            }
        }
    }

    private async Task<int> WatchAsync()
    {
        int code = await _child.Exited;
        await _reading;
        return code;
    }

    private VirtigoException Failure(string why)
    {
        string said = Said.Trim();
        return new VirtigoException(FailureKind.Host, $"Guest {_config.Name} cannot be started by xen: {why}.{(said.Length > 0 ? " It said: " + said : "")}",
            "Rerun: " + _child.Command);
    }
}
