using System.Diagnostics;
using System.Text;
using Virtigo.Host;
using Virtigo.Images;
using Xunit;

namespace Virtigo.GuestTests;

/// <summary>Every command that the README shows does what it says, in the order in which it is shown.</summary>
[Collection(KeptMachines.Name)]
public sealed class ReadmeTests(Lab lab)
{
    private const byte ControlBracket = 0x1d;
    private static readonly TimeSpan s_bootLimit = TimeSpan.FromMinutes(15);

    private static CancellationToken Cancel => TestContext.Current.CancellationToken;

    [Fact]
    public async Task Every_command_shown_works()
    {
        StoredImage golden = await lab.Golden;
        string[] commands = Commands();
        Assert.Contains("run web", commands);
        using WorkFolder folder = WorkFolder.Create(lab.Paths, "readme");
        foreach (string example in Directory.EnumerateFiles(Path.GetDirectoryName(lab.Example)!))
        {
            File.Copy(example, Path.Combine(folder.Path, Path.GetFileName(example)));
        }

        foreach (string command in commands)
        {
            if (command.StartsWith("run ", StringComparison.Ordinal))
            {
                await RunAsync(command.Split(' '), golden.Name);
                continue;
            }

            using IDisposable? places = command.StartsWith("test ", StringComparison.Ordinal) ? await lab.AllPlacesAsync() : null;
            CommandResult result = await lab.RunAsync(folder.Path, Words(command));
            Assert.True(result.ExitCode == 0, $"virtigo {command} ended with {result.ExitCode}:\n{result.People}");
            Assert.True(result.Data.Length + result.People.Length > 0 || command.StartsWith("cp ", StringComparison.Ordinal), $"virtigo {command} said nothing");
        }
    }

    /// <summary>The console shows the machine's login prompt, or with --root a shell's; Ctrl-] leaves.</summary>
    private async Task RunAsync(string[] arguments, string name)
    {
        using IDisposable place = await lab.PlaceAsync();
        using Process run = lab.Start(arguments);
        string prompt = arguments.Contains("--root") ? $"root@{name}:" : $"{name} login:";
        string seen = await ReadUntilAsync(run.StandardOutput.BaseStream, prompt);
        Assert.Contains(prompt, seen, StringComparison.Ordinal);
        await run.StandardInput.BaseStream.WriteAsync(new[] { ControlBracket }, Cancel);
        await run.StandardInput.BaseStream.FlushAsync(Cancel);
        await run.WaitForExitAsync(Cancel).WaitAsync(s_bootLimit, Cancel);
        Assert.Equal(0, run.ExitCode);
    }

    private static async Task<string> ReadUntilAsync(Stream output, string wanted)
    {
        var seen = new StringBuilder();
        byte[] buffer = new byte[4096];
        int count;
        while (!seen.ToString().Contains(wanted, StringComparison.Ordinal)
            && (count = await output.ReadAsync(buffer, Cancel).AsTask().WaitAsync(s_bootLimit, Cancel)) > 0)
        {
            seen.Append(Encoding.UTF8.GetString(buffer, 0, count));
        }

        return seen.ToString();
    }

    /// <summary>The words of a command, of which some are in single quotes.</summary>
    private static string[] Words(string command) =>
        [.. command.Split('\'').Index().SelectMany(part => part.Index % 2 == 1 ? [part.Item] : part.Item.Split(' ', StringSplitOptions.RemoveEmptyEntries))];

    /// <summary>What stands after <c>$ virtigo</c> in the README, without the comment.</summary>
    private string[] Commands() =>
    [
        .. File.ReadAllLines(lab.Readme).Where(line => line.StartsWith("$ virtigo ", StringComparison.Ordinal))
            .Select(line => line["$ virtigo ".Length..].Split("  #")[0].Trim()),
    ];
}

/// <summary>Tests that name a kept machine without its environment: no other one may be kept at that time.</summary>
[CollectionDefinition(Name)]
public sealed class KeptMachines
{
    public const string Name = "kept";
}
