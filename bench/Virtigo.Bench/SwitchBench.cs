using System.Diagnostics;
using System.Globalization;
using System.Net.Sockets;
using Virtigo.Networks;

namespace Virtigo.Bench;

/// <summary>
/// Frames a second from one socket to another: through our switch, through vde_switch, and with nothing in between as QEMU connects two guests
/// directly. One system call for each frame sent, as QEMU does it; what arrives is counted, not what was sent.
/// </summary>
internal static class SwitchBench
{
    private const int Rounds = 5;
    private static readonly int[] s_sizes = [64, 1500];
    private static readonly TimeSpan s_warmUp = TimeSpan.FromMilliseconds(300);
    private static readonly TimeSpan s_measure = TimeSpan.FromSeconds(1);
    private static readonly MacAddress s_sender = new(0x5254_0000_0001);
    private static readonly MacAddress s_receiver = new(0x5254_0000_0002);

    /// <summary>Measures in turns, so that whatever else the host does is spread over all.</summary>
    public static async Task RunAsync()
    {
        string folder = Directory.CreateTempSubdirectory("vsb-").FullName;
        try
        {
            var vde = Path.Combine(folder, "vde");
            using Process other = StartVde(vde);
            await using NetworkSwitch ours = StartOurs(folder);
            try
            {
                foreach (int size in s_sizes)
                {
                    Compare(size, ours, vde);
                }
            }
            finally
            {
                other.Kill();
                await other.WaitForExitAsync();
            }
        }
        finally
        {
            Directory.Delete(folder, recursive: true);
        }
    }

    private static void Compare(int size, NetworkSwitch ours, string vde)
    {
        List<double> virtigo = [], theirs = [], direct = [];
        for (int round = 0; round < Rounds; round++)
        {
            virtigo.Add(Measure(size, Connect(ours, 0), Connect(ours, 1)));
            theirs.Add(Measure(size, VdeEnd.Connect(vde), VdeEnd.Connect(vde)));
            (IFrameEnd a, IFrameEnd b) = StreamEnd.Pair();
            direct.Add(Measure(size, a, b));
        }

        Print("virtigo", size, Median(virtigo));
        Print("vde_switch", size, Median(theirs));
        Print("direct", size, Median(direct));
        Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
            $"{size} bytes: ratio to vde_switch {Median(virtigo) / Median(theirs):0.00}, to direct {Median(virtigo) / Median(direct):0.00}"));
    }

    private static void Print(string what, int size, double framesPerSecond) => Console.WriteLine(string.Create(CultureInfo.InvariantCulture,
        $"{size,5} bytes  {what,-10}  {framesPerSecond,12:#,##0} frames/s  {framesPerSecond * size / 1e6,8:0.0} MB/s"));

    private static double Median(List<double> values) => values.Order().ElementAt(values.Count / 2);

    private static double Measure(int size, IFrameEnd from, IFrameEnd to)
    {
        using IFrameEnd sender = from;
        using IFrameEnd receiver = to;
        var frame = new byte[size];
        EthernetFrame.WriteHeader(frame, s_sender, s_receiver, EtherType.Ipv4);
        receiver.Send(frame);
        EthernetFrame.WriteHeader(frame, s_receiver, s_sender, EtherType.Ipv4);
        bool ends = false;
        long received = 0;
        var sending = new Thread(() =>
        {
            while (!Volatile.Read(ref ends))
            {
                sender.Send(frame);
            }
        });
        var receiving = new Thread(() =>
        {
            while (receiver.Receive() is var count and > 0)
            {
                Interlocked.Add(ref received, count);
            }
        });
        receiving.Start();
        sending.Start();
        Task.Delay(s_warmUp).Wait();
        long before = Interlocked.Read(ref received);
        long start = Stopwatch.GetTimestamp();
        Task.Delay(s_measure).Wait();
        double rate = (Interlocked.Read(ref received) - before) / Stopwatch.GetElapsedTime(start).TotalSeconds;
        Volatile.Write(ref ends, true);
        sending.Join();
        receiver.Close();
        receiving.Join();
        return rate;
    }

    private static NetworkSwitch StartOurs(string folder) => NetworkSwitch.Start(new SwitchOptions
    {
        Networks =
        [
            new SwitchNetwork("lan", new Ipv4Subnet(Ipv4Address.Of(10, 0, 0, 0), 24), null, 1500,
            [
                new SwitchPort("a", s_sender, Ipv4Address.Of(10, 0, 0, 2), null, Path.Combine(folder, "ours", "a")),
                new SwitchPort("b", s_receiver, Ipv4Address.Of(10, 0, 0, 3), null, Path.Combine(folder, "ours", "b")),
            ]),
        ],
    });

    private static StreamEnd Connect(NetworkSwitch ours, int port)
    {
        SwitchPort place = ours.Options.Networks[0].Ports[port];
        while (ours.IsConnected(place.Machine, "lan"))
        {
            Thread.Yield();
        }

        var socket = new Socket(AddressFamily.Unix, SocketType.Stream, ProtocolType.Unspecified);
        socket.Connect(new UnixDomainSocketEndPoint(place.SocketPath));
        while (!ours.IsConnected(place.Machine, "lan"))
        {
            Thread.Yield();
        }

        return new StreamEnd(socket);
    }

    /// <summary>Starts vde_switch with its sockets in a folder, and waits until it is there.</summary>
    public static Process StartVde(string folder)
    {
        Process process = Process.Start(new ProcessStartInfo("vde_switch", ["--sock", folder])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
            RedirectStandardError = true,
        })!;

        // It says so once for each frame to an end that is gone already.
        process.ErrorDataReceived += (_, _) => { };
        process.BeginErrorReadLine();
        while (!Path.Exists(Path.Combine(folder, "ctl")))
        {
            Thread.Yield();
            if (process.HasExited)
            {
                throw new VirtigoException(FailureKind.Host, "vde_switch does not start.", $"vde_switch --sock {folder}");
            }
        }

        return process;
    }
}
