using System.IO.Pipelines;
using System.Net.Security;
using System.Security.Authentication;
using System.Text;
using CsCheck;
using Virtigo.Networks;
using Xunit;

namespace Virtigo.Tests.Networks;

public sealed class SpokenNameTests
{
    private static readonly byte[] s_hello = Hello("www.example.org");

    /// <summary>The first message of a real TLS client.</summary>
    public static byte[] Hello(string? name)
    {
        var sent = new Pipe();
        var received = new Pipe();
        using var tls = new SslStream(new Duplex(received.Reader.AsStream(), sent.Writer.AsStream()));
        using var limit = new CancellationTokenSource(TimeSpan.FromSeconds(10));
        Task shaking = tls.AuthenticateAsClientAsync(new SslClientAuthenticationOptions { TargetHost = name ?? "", EnabledSslProtocols = SslProtocols.Tls12 | SslProtocols.Tls13 }, limit.Token);
        ReadResult read = sent.Reader.ReadAsync(limit.Token).AsTask().GetAwaiter().GetResult();
        byte[] hello = [.. read.Buffer.FirstSpan];
        limit.Cancel();
        shaking.ContinueWith(_ => { }, TaskScheduler.Default).Wait(TimeSpan.FromSeconds(5), TestContext.Current.CancellationToken);
        return hello;
    }

    [Fact]
    public void The_hello_of_a_real_tls_client_names_its_server()
    {
        Assert.Equal(new SpokenName(Speech.Named, "www.example.org"), SpokenName.Read(s_hello));
        Assert.Equal(new SpokenName(Speech.Nameless), SpokenName.Read(Hello(null)));
        Assert.Equal(new SpokenName(Speech.Named, "www.example.org"), SpokenName.Read(Records(s_hello, 7)));
    }

    [Fact]
    public void Every_beginning_of_a_hello_waits_for_more_and_every_change_of_a_length_in_it_is_noticed_or_harmless()
    {
        for (int length = 0; length < s_hello.Length; length++)
        {
            Assert.Equal(Speech.Incomplete, SpokenName.Read(s_hello.AsSpan(0, length)).Speech);
        }

        Gen.Select(Gen.Int[0, s_hello.Length - 1], Gen.Byte).Sample((at, value) =>
        {
            byte[] changed = [.. s_hello];
            changed[at] = value;
            SpokenName said = SpokenName.Read(changed);
            return said.Speech != Speech.Named || HostName.IsValid(said.Name);
        }, iter: 5000);
    }

    [Theory]
    [InlineData("GET / HTTP/1.1\r\nHost: api.example.org\r\n\r\n", Speech.Named, "api.example.org")]
    [InlineData("POST /x HTTP/1.1\r\nAccept: */*\r\nhOST:  API.example.ORG:8080 \r\nX: y\r\n\r\nbody", Speech.Named, "api.example.org")]
    [InlineData("GET / HTTP/1.1\r\nHost: api.example.org.\r\n\r\n", Speech.Named, "api.example.org")]
    [InlineData("GET http://api.example.org/x HTTP/1.1\r\nHost: api.example.org\r\n\r\n", Speech.Named, "api.example.org")]
    [InlineData("OPTIONS * HTTP/1.1\r\nHost: api.example.org\r\n\r\n", Speech.Named, "api.example.org")]
    [InlineData("GET / HTTP/1.0\r\n\r\n", Speech.Nameless, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r\nHost: b.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r\nhost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET http://b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("CONNECT b.example:443 HTTP/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("CONNECT b.example:443 HTTP/1.1\r\nHost: b.example:443\r\n\r\n", Speech.Named, "b.example")]
    [InlineData("GET http://a.example@b.example/ HTTP/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r\n b.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost : a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\nHost: b.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\0\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: 0x7f.1\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: [::1]\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a_example/x\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\nHost: a.example\n\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.exam", Speech.Incomplete, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r", Speech.Incomplete, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r\n", Speech.Incomplete, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\n\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r\r", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\r\nHost: a.example\r\n\n", Speech.Malformed, "")]
    [InlineData("GET", Speech.Incomplete, "")]
    [InlineData("\r\n", Speech.Incomplete, "")]
    [InlineData("\r\nGET / HTTP/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData(" GET / HTTP/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1 \r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET\t/ HTTP/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / http/1.1\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("GET / HTTP/1.1\0\r\nHost: a.example\r\n\r\n", Speech.Malformed, "")]
    [InlineData("up", Speech.Incomplete, "")]
    [InlineData("up and running\n", Speech.Other, "")]
    [InlineData("GET key\r\n", Speech.Other, "")]
    [InlineData("{\"a\": 1}", Speech.Other, "")]
    [InlineData("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", Speech.Other, "")]
    [InlineData("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n", Speech.Other, "")]
    [InlineData("EHLO client.example\r\n", Speech.Other, "")]
    [InlineData("*1\r\n$4\r\nPING\r\n", Speech.Other, "")]
    [InlineData("\0\0\0\x08\x04", Speech.Other, "")]
    [InlineData("\x16\x01", Speech.Other, "")]
    public void A_request_names_its_host_once_or_is_told_from_one(string text, object speech, string name) =>
        Assert.Equal(new SpokenName((Speech)speech, name), SpokenName.Read(Encoding.Latin1.GetBytes(text)));

    [Fact]
    public void Arbitrary_bytes_never_break_it_and_what_it_names_is_a_name()
    {
        Gen<byte[]> noise = Gen.OneOf(
            Gen.Byte.Array[0, 300],
            Gen.Select(Gen.Byte.Array[0, 200], Gen.Int[0, 255]).Select((bytes, version) => (byte[])[22, 3, (byte)version, 0, (byte)bytes.Length, .. bytes]),
            Gen.Select(Gen.Byte.Array[0, 120], Gen.Byte).Select((bytes, rest) =>
                (byte[])[22, 3, 1, 0, (byte)(bytes.Length + 38), 1, 0, 0, (byte)(bytes.Length + 34), 3, 3, .. new byte[32], .. bytes, rest]),
            Gen.String[Gen.Char["GET /:Hostexampl.\r\n *HTTP/1.1"], 0, 200].Select(text => Encoding.Latin1.GetBytes("GET / HTTP/1.1\r\n" + text + "\r\n\r\n")));
        noise.Sample(bytes => SpokenName.Read(bytes) is { Speech: Speech.Named } said ? HostName.IsValid(said.Name) : SpokenName.Read(bytes).Name.Length == 0, iter: 20_000);
    }

    [Theory]
    [InlineData("example.org", true)]
    [InlineData("xn--bcher-kva.example", true)]
    [InlineData("a_b.example", true)]
    [InlineData("10.0.0.1", false)]
    [InlineData("127.1", false)]
    [InlineData("2130706433", false)]
    [InlineData("0x7f000001", false)]
    [InlineData("a..b", false)]
    [InlineData("-a.example", false)]
    [InlineData("A.example", false)]
    [InlineData("", false)]
    public void An_address_in_whatever_spelling_is_no_name(string text, bool valid) => Assert.Equal(valid, HostName.IsValid(text));

    [Theory]
    [InlineData("*.example.com", "a.example.com", true)]
    [InlineData("*.example.com", "b.a.example.com", true)]
    [InlineData("*.example.com", "example.com", false)]
    [InlineData("*.example.com", "notexample.com", false)]
    [InlineData("*.example.com", ".example.com", false)]
    [InlineData("example.com", "example.com", true)]
    [InlineData("example.com", "a.example.com", false)]
    public void A_star_stands_for_names_below_and_for_nothing_else(string pattern, string name, bool fits) => Assert.Equal(fits, HostName.Fits(pattern, name));

    /// <summary>The same message in records of a few bytes each.</summary>
    private static byte[] Records(byte[] hello, int size) =>
        [.. hello[5..].Chunk(size).SelectMany(part => (byte[])[22, 3, 1, 0, (byte)part.Length, .. part])];

    private sealed class Duplex(Stream reading, Stream writing) : Stream
    {
        public override bool CanRead => true;

        public override bool CanSeek => false;

        public override bool CanWrite => true;

        public override long Length => throw new NotSupportedException();

        public override long Position { get => throw new NotSupportedException(); set => throw new NotSupportedException(); }

        public override void Flush() => writing.Flush();

        public override Task FlushAsync(CancellationToken cancellationToken) => writing.FlushAsync(cancellationToken);

        public override int Read(byte[] buffer, int offset, int count) => reading.Read(buffer, offset, count);

        public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default) => reading.ReadAsync(buffer, cancellationToken);

        public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

        public override void SetLength(long value) => throw new NotSupportedException();

        public override void Write(byte[] buffer, int offset, int count) => writing.Write(buffer, offset, count);

        public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default) => writing.WriteAsync(buffer, cancellationToken);
    }
}
