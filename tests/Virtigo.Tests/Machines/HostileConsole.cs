using System.IO.Pipelines;
using System.Text;
using Virtigo.Machines;

namespace Virtigo.Tests.Machines;

/// <summary>A console whose other end does what it likes with each thing that is typed.</summary>
internal sealed class HostileConsole : IAsyncDisposable
{
    private readonly Pipe _typed = new();
    private readonly Pipe _said = new();
    private readonly Task _answering;

    public HostileConsole(Func<string, Func<string, Task>, Task> answer)
    {
        Shell = new SerialShell(new TwoWayStream(_said.Reader.AsStream(), _typed.Writer.AsStream()), TimeProvider.System);
        _answering = Task.Run(() => AnswerAsync(answer));
    }

    public SerialShell Shell { get; }

    public async ValueTask DisposeAsync()
    {
        await _typed.Writer.CompleteAsync();
        await _said.Reader.CompleteAsync();
        await _answering;
        await _said.Writer.CompleteAsync();
    }

    private async Task AnswerAsync(Func<string, Func<string, Task>, Task> answer)
    {
        try
        {
            while (await _typed.Reader.ReadAsync() is { IsCompleted: false } read)
            {
                string typed = Encoding.ASCII.GetString(read.Buffer);
                _typed.Reader.AdvanceTo(read.Buffer.End);
                await answer(typed, async text =>
                {
                    if ((await _said.Writer.WriteAsync(Encoding.Latin1.GetBytes(text))).IsCompleted)
                    {
                        throw new IOException("The host has closed the console.");
                    }
                });
            }
        }
        catch (IOException)
        {
            await _said.Writer.CompleteAsync();
        }
    }
}
