using System.Globalization;
using Virtigo.Host;

namespace Virtigo.Machines;

/// <summary>What a path leads to, links followed.</summary>
internal enum PathKind
{
    /// <summary>Nothing.</summary>
    None,

    /// <summary>A file, or something else that is no folder.</summary>
    File,

    /// <summary>A folder.</summary>
    Folder,
}

/// <summary>
/// Copies files and trees as tar archives on the streams of programs in a machine. What goes in is put together beside its place and moved
/// there when it is complete: whatever ends a copy, no half file is left under the name it was to have.
/// </summary>
/// <param name="machine">The machine's name, for messages.</param>
/// <param name="start">Starts a shell command in the machine.</param>
internal sealed class GuestCopy(string machine, Func<string, CancellationToken, Task<GuestProcess>> start)
{
    private const int ComplaintLimit = 4096;
    private const int Terminate = 15;
    private static readonly TimeSpan s_endNotice = TimeSpan.FromSeconds(2);
    private static readonly TimeSpan s_tidyLimit = TimeSpan.FromSeconds(10);

    /// <summary>What a path in the machine leads to.</summary>
    public async Task<PathKind> KindAsync(string path, CancellationToken cancellationToken)
    {
        string what = ShellQuote.Word(path);
        await using GuestProcess test = await start($"if test -d {what}; then exit 10; elif test -e {what}; then exit 11; else exit 12; fi", cancellationToken);
        await test.Input.DisposeAsync();
        Task<string> complaint = ComplaintAsync(test, cancellationToken);
        await DrainAsync(test.Output, cancellationToken);
        return await test.Exited.WaitAsync(cancellationToken) switch
        {
            10 => PathKind.Folder,
            11 => PathKind.File,
            12 => PathKind.None,
            int code => throw Failed($"{path} of machine {machine} cannot be looked at", await complaint, code),
        };
    }

    /// <summary>Copies a file or a folder's content of the host into the machine.</summary>
    /// <param name="source">The absolute path on the host.</param>
    /// <param name="target">What it is to be called: its folder exists. A file is replaced; in a folder that exists, files are added and replaced.</param>
    /// <param name="progress">Told how many bytes went so far.</param>
    /// <param name="cancellationToken">Gives up; nothing is left then.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when the machine cannot take it, <see cref="FailureKind.Host"/> when it cannot be read.</exception>
    public async Task InAsync(string source, string target, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        bool folder = Directory.Exists(source);
        source = folder ? Directory.ResolveLinkTarget(source, returnFinalTarget: true)?.FullName ?? source : source;
        await using GuestProcess taker = await start(TakeScript(target, folder, folder ? File.GetUnixFileMode(source) : null), cancellationToken);
        await FillAsync(taker, $"{source} cannot be copied to {target} of machine {machine}", async token =>
        {
            await using var counted = new CountedStream(taker.Input, progress);
            await TreeSender.SendAsync(source, "file", counted, token);
        }, failure => new VirtigoException(FailureKind.Host, $"{source} cannot be read: {failure.Message}", inner: failure), cancellationToken);
    }

    /// <summary>Copies a file or a folder's content of this machine into another one, or this one.</summary>
    /// <param name="source">The path in this machine.</param>
    /// <param name="folder">Whether it is a folder.</param>
    /// <param name="to">The other machine.</param>
    /// <param name="target">What it is to be called there, as with <see cref="InAsync"/>.</param>
    /// <param name="progress">Told how many bytes went so far.</param>
    /// <param name="cancellationToken">Gives up; nothing is left then.</param>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when a machine cannot read or take it.</exception>
    public async Task AcrossAsync(string source, bool folder, GuestCopy to, string target, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        await using GuestProcess taker = await to.StartAsync(TakeScript(target, folder, mode: null), cancellationToken);
        await FillAsync(taker, $"{source} of machine {machine} cannot be copied to {target}", async token =>
        {
            await using GuestProcess giver = await start(GiveScript(source, folder), token);
            await giver.Input.DisposeAsync();
            Task<string> complaint = ComplaintAsync(giver, token);
            await using (var counted = new CountedStream(giver.Output, progress))
            {
                await counted.CopyToAsync(taker.Input, token);
            }

            await CheckAsync(giver, source, complaint, token);
        }, failure => new VirtigoException(FailureKind.Guest, $"{source} of machine {machine} is not copied: {failure.Message}", inner: failure), cancellationToken);
    }

    /// <summary>Takes a file or a folder's content of the machine into an empty folder of the host. The guest is not trusted.</summary>
    /// <param name="source">The path in the machine.</param>
    /// <param name="folder">Whether it is a folder.</param>
    /// <param name="draft">The folder: absolute and empty.</param>
    /// <param name="progress">Told how many bytes came so far.</param>
    /// <param name="cancellationToken">Gives up.</param>
    /// <returns>What was left out, at most 1000 names.</returns>
    /// <exception cref="VirtigoException"><see cref="FailureKind.Guest"/> when it cannot be read, or the guest sends something else than a proper archive.</exception>
    public async Task<IReadOnlyList<string>> OutAsync(string source, bool folder, string draft, IProgress<long>? progress, CancellationToken cancellationToken)
    {
        await using GuestProcess giver = await start(GiveScript(source, folder), cancellationToken);
        await giver.Input.DisposeAsync();
        Task<string> complaint = ComplaintAsync(giver, cancellationToken);
        try
        {
            await using var counted = new CountedStream(giver.Output, progress);
            IReadOnlyList<string> leftOut = await new TreeReceiver(draft, new TreeLimits()).ReceiveAsync(counted, cancellationToken);

            // The archive is filled up with empty blocks.
            await DrainAsync(counted, cancellationToken);
            await CheckAsync(giver, source, complaint, cancellationToken);
            return leftOut;
        }
        catch (ChannelBrokenException error)
        {
            throw new VirtigoException(FailureKind.Guest, $"{source} of machine {machine} is not copied: {error.Message}", inner: error);
        }
        catch (InvalidDataException error)
        {
            throw new VirtigoException(FailureKind.Guest, $"{source} of machine {machine} is not copied: {error.Message}.", inner: error);
        }
    }

    /// <summary>The last that a program says on its standard error, without control characters.</summary>
    public static async Task<string> ComplaintAsync(GuestProcess process, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[1024];
        var said = new ByteTail(ComplaintLimit);
        for (int read; (read = await process.Error.ReadAsync(buffer, cancellationToken)) > 0;)
        {
            said.Append(buffer.AsSpan(0, read));
        }

        return ConsoleText.Printable(said.ToString()).Trim();
    }

    /// <summary>What sends a file or a folder's content as an archive.</summary>
    private static string GiveScript(string source, bool folder)
    {
        string word = ShellQuote.Word(source);
        string what = folder ? $"-C {word} ." : $"-C \"$(dirname \"$(readlink -f {word})\")\" -- \"$(basename \"$(readlink -f {word})\")\"";
        return $"exec tar -c -S -H posix -f - {what}";
    }

    /// <summary>What takes an archive: into a draft first, which is moved to its place when the archive is complete, and removed when it is not.</summary>
    private static string TakeScript(string target, bool folder, UnixFileMode? mode)
    {
        string setMode = mode is { } bits ? $"chmod {Convert.ToString((int)bits & 0x1ff, 8)} \"$draft/new\"" : ":";
        string begin = $$"""
            target={{ShellQuote.Word(target)}}
            parent=$(dirname "$target")
            test -d "$parent" || { echo "there is no folder $parent" >&2; exit 1; }
            test -d "$target" && parent=$target
            draft=$(mktemp -d "${parent%/}/.virtigo-XXXXXXXX") || exit 1
            trap 'rm -rf "$draft"' EXIT
            trap 'exit 1' HUP INT PIPE TERM
            mkdir "$draft/new" && tar -x -p -f - -C "$draft/new" && {{setMode}} || exit 1
            cd "$draft/new" || exit 1

            """;
        return begin + (folder
            ? """
                if test -e "$target" || test -L "$target"; then
                    test -d "$target" || { echo "$target is no folder" >&2; exit 1; }
                    for one in * .[!.]* ..?*; do
                        test -e "$one" || test -L "$one" || continue
                        cp -a -l -f -- "$one" "${target%/}/" 2>/dev/null || cp -a -f -- "$one" "${target%/}/" || exit 1
                    done
                else
                    cd / && mv -- "$draft/new" "$target" || exit 1
                fi
                """
            : """
                test -d "$target" && { echo "$target is a folder" >&2; exit 1; }
                for one in * .[!.]* ..?*; do
                    test -f "$one" && ! test -L "$one" && mv -f -- "$one" "$target" && exit 0
                done
                echo 'no file came' >&2
                exit 1
                """);
    }

    private static VirtigoException Failed(string what, string complaint, int code) =>
        new(FailureKind.Guest, $"{what}: {complaint} (exit code {code.ToString(CultureInfo.InvariantCulture)})");

    private static async Task DrainAsync(Stream stream, CancellationToken cancellationToken)
    {
        byte[] buffer = new byte[4096];
        while (await stream.ReadAsync(buffer, cancellationToken) > 0)
        {
        }
    }

    /// <summary>Gives a program its input and waits until it is done. When the input does not come to its end, the program tidies up and ends.</summary>
    private static async Task FillAsync(
        GuestProcess taker, string what, Func<CancellationToken, Task> fill, Func<Exception, VirtigoException> explain, CancellationToken cancellationToken)
    {
        Task<string> complaint = ComplaintAsync(taker, CancellationToken.None);
        Task drained = DrainAsync(taker.Output, CancellationToken.None);
        try
        {
            try
            {
                await fill(cancellationToken);
                await taker.Input.DisposeAsync();
            }
            catch (Exception failure) when (failure is IOException or UnauthorizedAccessException && !cancellationToken.IsCancellationRequested)
            {
                // A program that ended before it had read all says why itself.
                if (await Task.WhenAny(taker.Exited, Task.Delay(s_endNotice, TimeProvider.System, cancellationToken)) != taker.Exited)
                {
                    throw explain(failure);
                }
            }

            int code = await taker.Exited.WaitAsync(cancellationToken);
            if (code != 0)
            {
                throw Failed(what, await complaint, code);
            }

            await drained;
        }
        catch when (!taker.Exited.IsCompleted)
        {
            await StopAsync(taker);
            throw;
        }
        finally
        {
            await taker.DisposeAsync();
            await Task.WhenAll(complaint, drained).ConfigureAwait(ConfigureAwaitOptions.SuppressThrowing);
        }
    }

    /// <summary>Has a program remove what it has made so far.</summary>
    private static async Task StopAsync(GuestProcess process)
    {
        using var limit = new CancellationTokenSource(s_tidyLimit);
        try
        {
            await process.SignalAsync(Terminate, limit.Token);
            await process.Exited.WaitAsync(limit.Token);
        }
        catch (Exception gone) when (gone is IOException or ObjectDisposedException or OperationCanceledException or VirtigoException)
        {
            // The machine is gone, or does not hear.
        }
    }

    private Task<GuestProcess> StartAsync(string script, CancellationToken cancellationToken) => start(script, cancellationToken);

    private async Task CheckAsync(GuestProcess giver, string source, Task<string> complaint, CancellationToken cancellationToken)
    {
        int code = await giver.Exited.WaitAsync(cancellationToken);

        // 1: a file changed while it was read, which is not the guest's fault.
        if (code is not (0 or 1))
        {
            throw Failed($"{source} of machine {machine} cannot be read", await complaint, code);
        }
    }

    /// <summary>Tells how many bytes pass. Disposing it leaves the stream alone.</summary>
    private sealed class CountedStream(Stream stream, IProgress<long>? progress) : ForwardStream
    {
        private long _bytes;

        public override bool CanWrite => true;

        public override async ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
        {
            int read = await stream.ReadAsync(buffer, cancellationToken);
            progress?.Report(_bytes += read);
            return read;
        }

        public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override int Read(byte[] buffer, int offset, int count) => throw new NotSupportedException("Use ReadAsync.");

        public override async ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
        {
            await stream.WriteAsync(buffer, cancellationToken);
            progress?.Report(_bytes += buffer.Length);
        }

        public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
            WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

        public override Task FlushAsync(CancellationToken cancellationToken) => stream.FlushAsync(cancellationToken);
    }
}
