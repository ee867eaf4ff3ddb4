using System.Globalization;
using System.Text;
using Virtigo.Hypervisors;
using Virtigo.Installers.Debian;
using Xunit;

namespace Virtigo.GuestTests.Hypervisors;

/// <summary>A guest that is a kernel, busybox and a shell on its console, which a test types to.</summary>
internal sealed class TinyGuest(IGuest guest) : IAsyncDisposable
{
    private const UnixFileMode Program = (UnixFileMode)0x1ED;
    private static readonly TimeSpan s_limit = TimeSpan.FromMinutes(4);
    private readonly Stream _console = guest.OpenSerial("console");
    private readonly StringBuilder _seen = new();
    private int _count;

    public IGuest Guest => guest;

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    /// <summary>Makes the initrd.</summary>
    /// <param name="path">Where.</param>
    /// <param name="busybox">Busybox, with everything it needs inside.</param>
    /// <param name="modules">Kernel modules, to be loaded in this order.</param>
    /// <param name="console">The device that is the console.</param>
    /// <param name="prepare">What else is to be done before the shell begins.</param>
    /// <param name="programs">Further programs, which need nothing else.</param>
    public static async Task WriteInitrdAsync(
        string path, byte[] busybox, IReadOnlyList<(string Name, byte[] Content)> modules, string console = "ttyS0", string prepare = "",
        IReadOnlyList<(string Name, byte[] Content)>? programs = null)
    {
        string init = $"""
            #!/bin/busybox sh
            /bin/busybox mkdir -p /proc /sys /dev
            /bin/busybox --install -s /bin
            mount -t proc p /proc; mount -t sysfs s /sys; mount -t devtmpfs d /dev
            for each in {string.Join(' ', modules.Select(module => module.Name))}; do insmod /modules/$each; done
            {prepare}
            exec </dev/{console} >/dev/{console} 2>&1
            stty -echo
            echo 1 >/proc/sys/kernel/printk
            echo READY
            PS1= exec sh -i

            """.ReplaceLineEndings("\n");
        await using FileStream file = File.Create(path);
        var cpio = new CpioWriter(file);
        await cpio.WriteFileAsync("bin/busybox", Program, busybox, Token);
        foreach ((string name, byte[] content) in programs ?? [])
        {
            await cpio.WriteFileAsync("bin/" + name, Program, content, Token);
        }

        foreach ((string name, byte[] content) in modules)
        {
            await cpio.WriteFileAsync("modules/" + name, Program, content, Token);
        }

        await cpio.WriteFileAsync("init", Program, Encoding.ASCII.GetBytes(init), Token);
        await cpio.FinishAsync(Token);
    }

    /// <summary>Waits for the shell: what is typed before somebody has opened the port is lost.</summary>
    public Task AwaitShellAsync() => ReadUntilAsync("READY\r\n");

    /// <summary>Types a command and gives what it wrote until it had ended.</summary>
    public async Task<string> RunAsync(string command)
    {
        string mark = (++_count).ToString(CultureInfo.InvariantCulture);
        await TypeAsync($"{command}\necho 'E''ND '{mark}");
        string said = await ReadUntilAsync($"END {mark}\r\n");
        return said.ReplaceLineEndings("\n");
    }

    /// <summary>Types a line.</summary>
    public async Task TypeAsync(string line) => await _console.WriteAsync(Encoding.ASCII.GetBytes(line + "\n"), Token);

    /// <summary>Reads the console until it says something; gives what came before.</summary>
    public async Task<string> ReadUntilAsync(string words, TimeSpan? within = null)
    {
        using var time = new CancellationTokenSource(within ?? s_limit, TimeProvider.System);
        using var either = CancellationTokenSource.CreateLinkedTokenSource(time.Token, Token);
        byte[] buffer = new byte[4096];

        // Only what is new is looked at: a flood that is looked through whole for each piece of it takes minutes.
        for (int from = 0; ; from = Math.Max(0, _seen.Length - buffer.Length - words.Length))
        {
            int at = _seen.ToString(from, _seen.Length - from).IndexOf(words, StringComparison.Ordinal);
            if (at >= 0)
            {
                string before = _seen.ToString(0, from + at);
                _seen.Remove(0, from + at + words.Length);
                return before;
            }

            int read;
            try
            {
                read = await _console.ReadAsync(buffer, either.Token);
            }
            catch (OperationCanceledException) when (!Token.IsCancellationRequested)
            {
                throw new TimeoutException($"The console did not say '{words}'. It said: {_seen}");
            }

            if (read == 0)
            {
                throw new EndOfStreamException($"The guest ended before its console said '{words}'. It said: {_seen}");
            }

            _seen.Append(Encoding.UTF8.GetString(buffer, 0, read));
        }
    }

    public async ValueTask DisposeAsync()
    {
        await _console.DisposeAsync();
        await guest.DisposeAsync();
    }
}
