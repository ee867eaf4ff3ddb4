using System.Net.Sockets;
using Virtigo.Host;
using Virtigo.Hypervisors.Qemu.Nbd;

namespace Virtigo.Hypervisors.Qemu;

/// <summary>
/// A disk whose volatile cache is in this process: QEMU has it as a network block device of ours; what leaves the cache goes to a <c>qemu-nbd</c>
/// that keeps the disk's file. Neither outlives this process.
/// </summary>
internal sealed class VolatileDisk : IAsyncDisposable
{
    /// <summary>The program that keeps the disk's file.</summary>
    public const string Program = "qemu-nbd";

    private static readonly TimeSpan OpenLimit = TimeSpan.FromSeconds(30);
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(5);
    private static readonly TimeSpan CloseLimit = TimeSpan.FromSeconds(60);
    private static readonly TimeSpan ConnectPause = TimeSpan.FromMilliseconds(2);
    private readonly GuestDisk _disk;
    private readonly long _size;
    private readonly string _socket;
    private readonly UnixListener _listener;
    private readonly TaskCompletionSource<IBlockStore> _opened = new(TaskCreationOptions.RunContinuationsAsynchronously);
    private readonly CancellationTokenSource _ended = new();
    private readonly Task _serving;
    private ChildProcess? _keeper;
    private NbdClient? _client;
    private WriteCache? _cache;
    private bool _closed;
    private int _disposed;

    private VolatileDisk(GuestDisk disk, long size, DiskFault fault, string cacheSocket, string storageSocket)
    {
        (_disk, _size, Fault, _socket) = (disk, size, fault, storageSocket);
        UnixListener.CheckLength(storageSocket);
        _listener = new UnixListener(cacheSocket);
        _serving = Task.Run(ServeAsync);
    }

    /// <summary>What a power cut does to it.</summary>
    public DiskFault Fault { get; set; }

    /// <summary>Begins to listen for QEMU. What it asks for waits until <see cref="OpenAsync"/>.</summary>
    /// <param name="disk">The disk.</param>
    /// <param name="size">Its size, in bytes.</param>
    /// <param name="fault">What a power cut does to it.</param>
    /// <param name="cacheSocket">Where QEMU connects.</param>
    /// <param name="storageSocket">A path for the socket to the program that keeps the disk.</param>
    public static VolatileDisk Listen(GuestDisk disk, long size, DiskFault fault, string cacheSocket, string storageSocket) =>
        new(disk, size, fault, cacheSocket, storageSocket);

    /// <summary>Opens the disk's file, which nothing else has open any more.</summary>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Host"/> when it cannot be opened.</exception>
    public async Task OpenAsync(CancellationToken cancellationToken)
    {
        File.Delete(_socket);
        _keeper = await ChildProcess.StartAsync(new ChildCommand(Program,
            [
                "--socket=" + _socket, "--format=" + QemuCommandLine.Driver(_disk), "--cache=" + (_disk.Unsafe ? "unsafe" : "writeback"),
                "--discard=unmap", "--detect-zeroes=unmap", _disk.Path,
            ]), cancellationToken);
        using var limit = new CancellationTokenSource(OpenLimit);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(limit.Token, cancellationToken);
        try
        {
            _client = await NbdClient.ConnectAsync(await ConnectAsync(_keeper, either.Token), either.Token);
        }
        catch (Exception error) when (error is IOException or InvalidDataException)
        {
            // One that closed the connection is about to end: only then has it said why.
            await Task.WhenAny(_keeper.Exited, Task.Delay(EndLimit, CancellationToken.None));
            throw Failure(_keeper.ErrorTail.Trim() is { Length: > 0 } said ? said : error.Message, error);
        }
        catch (OperationCanceledException error) when (!cancellationToken.IsCancellationRequested)
        {
            throw Failure($"it did not answer within {OpenLimit.TotalSeconds} s", error);
        }
        finally
        {
            File.Delete(_socket);
        }

        if (_client.Size != _size)
        {
            throw Failure($"the file has {_client.Size} bytes for the guest; expected {_size}", null);
        }

        _cache = new WriteCache(_client);
        _opened.SetResult(_cache);
    }

    /// <summary>
    /// Closes the disk's file; another can open it then. Nothing may be under way: the guest stands still, or has ended. Does nothing to one that
    /// is closed.
    /// </summary>
    /// <param name="powerCut">Whether what was not flushed is lost as the fault says; if not, everything is kept.</param>
    /// <exception cref="VirtigoException">
    /// <see cref="FailureKind.Host"/> when it cannot be stored what is kept: unless the connection broke, the disk is as before.
    /// </exception>
    public async Task CloseAsync(bool powerCut)
    {
        if (_closed || _cache is null)
        {
            return;
        }

        using var limit = new CancellationTokenSource(CloseLimit);
        try
        {
            if (!powerCut)
            {
                await _cache.FlushAsync(limit.Token);
            }
            else if (Fault.Loss == DiskLoss.All)
            {
                _cache.LoseAll();
            }
            else
            {
                await _cache.LoseSomeAsync(new SeededRandom(Fault.Seed ?? 0), limit.Token);
            }

            await _client!.DisconnectAsync(limit.Token);
            int code = await _keeper!.Exited.WaitAsync(limit.Token);
            _closed = true;
            if (code != 0)
            {
                throw Failure($"{Program} ended with exit code {code}: {_keeper.ErrorTail.Trim()}", null);
            }
        }
        catch (Exception error) when (error is IOException or OperationCanceledException)
        {
            throw Failure(error is IOException ? error.Message : $"it took longer than {CloseLimit.TotalSeconds} s", error);
        }
    }

    /// <summary>Gives the disk's file up after it could not be opened; what QEMU asks for fails from now on.</summary>
    public async Task ReleaseAsync()
    {
        _opened.TrySetException(new IOException("The disk is not there."));
        await (_client?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (_keeper?.DisposeAsync() ?? ValueTask.CompletedTask);
    }

    /// <summary>Waits until QEMU, which has ended, has nothing more to say.</summary>
    public async Task DrainAsync()
    {
        try
        {
            await _serving.WaitAsync(CloseLimit);
        }
        catch (TimeoutException)
        {
            await _ended.CancelAsync();
            await _serving;
        }
    }

    /// <summary>Ends everything, at once; what the cache holds is gone.</summary>
    public async ValueTask DisposeAsync()
    {
        if (Interlocked.Exchange(ref _disposed, 1) != 0)
        {
            return;
        }

        await _ended.CancelAsync();
        await _serving;
        await (_client?.DisposeAsync() ?? ValueTask.CompletedTask);
        await (_keeper?.DisposeAsync() ?? ValueTask.CompletedTask);
        File.Delete(_socket);
        _ended.Dispose();
    }

    private async Task ServeAsync()
    {
        try
        {
            await using Stream stream = await _listener.AcceptAsync(_ended.Token);
            await NbdServer.ServeAsync(stream, _size, _opened.Task, _ended.Token);
        }
        catch (Exception error) when (error is IOException or InvalidDataException or SocketException or OperationCanceledException)
        {
            // QEMU is gone or out of its mind; its guest sees a dead disk.
        }
        finally
        {
            _listener.Dispose();
        }
    }

    /// <summary>Connects as soon as there is somebody: the program does not tell when it is ready.</summary>
    private async Task<Stream> ConnectAsync(ChildProcess keeper, CancellationToken cancellationToken)
    {
        while (true)
        {
            var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
            try
            {
                await socket.ConnectAsync(new UnixDomainSocketEndPoint(_socket), cancellationToken);
                return new NetworkStream(socket, ownsSocket: true);
            }
            catch (SocketException) when (!keeper.Exited.IsCompleted)
            {
                socket.Dispose();
                await Task.Delay(ConnectPause, cancellationToken);
            }
            catch (SocketException error)
            {
                socket.Dispose();
                throw new IOException($"{Program} ended with exit code {await keeper.Exited}", error);
            }
            catch
            {
                socket.Dispose();
                throw;
            }
        }
    }

    private VirtigoException Failure(string why, Exception? inner) =>
        new(FailureKind.Host, $"The disk {_disk.Path} with its volatile cache cannot be kept: {why}.", _keeper is null ? null : "Rerun: " + _keeper.Command, inner);
}
