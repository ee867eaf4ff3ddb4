using Virtigo.Cli;
using Virtigo.Host;
using Xunit;

namespace Virtigo.Tests.Cli;

/// <summary>Runs the command inside the test, with a home of its own.</summary>
internal sealed class CommandRun : IDisposable
{
    private readonly string _home = Directory.CreateTempSubdirectory("virtigo-cli-").FullName;

    public StringWriter Data { get; } = new();

    public StringWriter People { get; } = new();

    public Dictionary<string, string> Variables { get; } = [];

    public CliHost Host => new(Data, People, Variables.GetValueOrDefault, false,
        HostPaths.FromEnvironment(name => name == "VIRTIGO_HOME" ? _home : null), TimeProvider.System);

    public string File(string name, string content)
    {
        string path = Path.Combine(_home, name);
        Directory.CreateDirectory(Path.GetDirectoryName(path)!);
        System.IO.File.WriteAllText(path, content);
        return path;
    }

    public Task<int> Run(params string[] arguments)
    {
        TestContext.Current.CancellationToken.ThrowIfCancellationRequested();
        Data.GetStringBuilder().Clear();
        People.GetStringBuilder().Clear();
        return CommandLine.RunAsync(arguments, Host);
    }

    public void Dispose() => Directory.Delete(_home, recursive: true);
}
